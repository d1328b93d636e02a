//! What those read who subscribe to a status page, in every language that it speaks: on the few pages of signing up and leaving, and around
//! the news in a letter.

use crate::model::page::Language;

/// Everything that is said about subscriptions. Arguments are the title of the page, when they are called nothing else.
#[derive(Debug)]
pub struct Subscribing {
    /// Link on the status page, and heading of the form.
    pub subscribe: &'static str,
    /// What a subscriber gets, and what becomes of the address.
    pub what_it_means: fn(&str) -> String,
    /// Heading and field of the form for mail.
    pub by_mail: (&'static str, &'static str),
    /// Heading and field of the form for programs.
    pub by_hook: (&'static str, &'static str),
    /// What a program has to do to be subscribed.
    pub hook_must_echo: &'static str,
    /// Button of either form.
    pub submit: &'static str,
    /// After signing up by mail; the same whether the address was known or not.
    pub mail_comes: &'static str,
    /// The same for a program.
    pub hook_is_asked: &'static str,
    /// What was typed is no address of this kind.
    pub bad_address: &'static str,
    /// The page takes nobody else for now.
    pub full: &'static str,
    /// Too many signed up from one place.
    pub too_many: &'static str,
    /// The question on the page that a letter leads to.
    pub is_it_you: fn(&str) -> String,
    /// The button that says yes.
    pub confirm: &'static str,
    /// It is done.
    pub confirmed: fn(&str) -> String,
    /// On the page of a subscription that runs.
    pub leave_question: fn(&str) -> String,
    /// The button that ends it.
    pub unsubscribe: &'static str,
    /// It is done.
    pub left: &'static str,
    /// A link leads to no subscription.
    pub gone: (&'static str, &'static str),
    /// Back to the status page.
    pub to_page: &'static str,
    /// Subject of the letter that asks whether it was meant.
    pub asked_subject: fn(&str) -> String,
    /// What stands in it before the link.
    pub asked_before: fn(&str) -> String,
    /// What stands after the link.
    pub asked_after: &'static str,
    /// Above the way out of a letter.
    pub why_you: fn(&str) -> String,
    /// Subject of a letter with so many news.
    pub n_news: fn(&str, usize) -> String,
}

/// What is said in a language.
#[must_use]
pub fn subscribing(language: Language) -> &'static Subscribing {
    match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
        Language::Spanish => &SPANISH,
        Language::Japanese => &JAPANESE,
    }
}

const ENGLISH: Subscribing = Subscribing {
    subscribe: "Subscribe",
    what_it_means: |title| {
        format!(
            "You are told when an incident on “{title}” begins and ends, what is said of it, and when maintenance begins. Every message has a \
             link that ends this at once. The address is used for nothing else, and deleted when you leave."
        )
    },
    by_mail: ("By mail", "E-mail address"),
    by_hook: ("By webhook, for programs", "Address (https://…)"),
    hook_must_echo: "The address first gets a POST with JSON, and is subscribed when it answers 200 with the value of “challenge”.",
    submit: "Subscribe",
    mail_comes: "Look into your mail: unless this address is subscribed already, a letter is on its way or has come lately. Open the link in it within 24 hours.",
    hook_is_asked: "Unless this address is subscribed already, it is asked now. When it answers as it should, it is subscribed.",
    bad_address: "This is no address that messages can be sent to. Check it, and try again.",
    full: "This page takes no more subscribers at the moment. The feed of incidents is open to everybody.",
    too_many: "Too many people are subscribing just now, or you have tried too often. Try again in an hour.",
    is_it_you: |title| format!("Subscribe to “{title}”?"),
    confirm: "Yes, subscribe",
    confirmed: |title| format!("You are subscribed to “{title}”."),
    leave_question: |title| format!("You are subscribed to “{title}”. No more messages?"),
    unsubscribe: "Unsubscribe",
    left: "You are unsubscribed, and your address is deleted.",
    gone: (
        "This link leads nowhere any more",
        "The subscription was ended, or was not confirmed within 24 hours. You can subscribe again on the status page.",
    ),
    to_page: "To the status page",
    asked_subject: |title| format!("Subscribe to “{title}”?"),
    asked_before: |title| {
        format!(
            "Somebody, most likely you, wants this address to be told what the status page “{title}” says. To say yes, open this link within 24 hours and press the button there:"
        )
    },
    asked_after: "If it was not you, do nothing: nothing more is sent, and the address is deleted after a day.",
    why_you: |title| format!("You get this because you subscribed to “{title}”. To end that:"),
    n_news: |title, n| format!("{title}: {n} updates"),
};

const GERMAN: Subscribing = Subscribing {
    subscribe: "Abonnieren",
    what_it_means: |title| {
        format!(
            "Sie erfahren, wenn auf „{title}“ eine Störung beginnt und endet, was dazu gesagt wird und wann eine Wartung beginnt. Jede \
             Nachricht enthält einen Link, der das sofort beendet. Die Adresse dient nur dazu und wird beim Abmelden gelöscht."
        )
    },
    by_mail: ("Per E-Mail", "E-Mail-Adresse"),
    by_hook: ("Per Webhook, für Programme", "Adresse (https://…)"),
    hook_must_echo: "Die Adresse erhält zuerst ein POST mit JSON und ist angemeldet, wenn sie mit 200 und dem Wert von „challenge“ antwortet.",
    submit: "Abonnieren",
    mail_comes: "Sehen Sie in Ihr Postfach: Falls diese Adresse nicht schon angemeldet ist, kommt eine E-Mail oder kam vor Kurzem eine. Öffnen Sie den Link darin innerhalb von 24 Stunden.",
    hook_is_asked: "Falls diese Adresse nicht schon angemeldet ist, wird sie jetzt gefragt. Antwortet sie, wie sie soll, ist sie angemeldet.",
    bad_address: "An diese Adresse lässt sich nichts senden. Prüfen Sie sie und versuchen Sie es noch einmal.",
    full: "Diese Seite nimmt im Augenblick niemanden mehr auf. Der Feed der Störungen steht allen offen.",
    too_many: "Gerade melden sich zu viele an, oder Sie haben es zu oft versucht. Versuchen Sie es in einer Stunde wieder.",
    is_it_you: |title| format!("„{title}“ abonnieren?"),
    confirm: "Ja, abonnieren",
    confirmed: |title| format!("Sie haben „{title}“ abonniert."),
    leave_question: |title| format!("Sie haben „{title}“ abonniert. Keine Nachrichten mehr?"),
    unsubscribe: "Abmelden",
    left: "Sie sind abgemeldet, und Ihre Adresse ist gelöscht.",
    gone: (
        "Dieser Link führt nirgends mehr hin",
        "Das Abonnement wurde beendet oder nicht innerhalb von 24 Stunden bestätigt. Auf der Statusseite können Sie es neu beginnen.",
    ),
    to_page: "Zur Statusseite",
    asked_subject: |title| format!("„{title}“ abonnieren?"),
    asked_before: |title| {
        format!(
            "Jemand, vermutlich Sie, möchte an dieser Adresse erfahren, was die Statusseite „{title}“ sagt. Wenn das stimmt, öffnen Sie innerhalb von 24 Stunden diesen Link und drücken Sie dort den Knopf:"
        )
    },
    asked_after: "Wenn Sie es nicht waren, tun Sie nichts: Es kommt nichts weiter, und die Adresse wird nach einem Tag gelöscht.",
    why_you: |title| format!("Sie erhalten dies, weil Sie „{title}“ abonniert haben. So beenden Sie das:"),
    n_news: |title, n| format!("{title}: {n} Neuigkeiten"),
};

const FRENCH: Subscribing = Subscribing {
    subscribe: "S’abonner",
    what_it_means: |title| {
        format!(
            "Vous êtes prévenu quand un incident de « {title} » commence et se termine, de ce qui en est dit, et du début des maintenances. \
             Chaque message contient un lien qui y met fin aussitôt. L’adresse ne sert à rien d’autre et est effacée quand vous partez."
        )
    },
    by_mail: ("Par courriel", "Adresse électronique"),
    by_hook: ("Par webhook, pour les programmes", "Adresse (https://…)"),
    hook_must_echo: "L’adresse reçoit d’abord un POST en JSON, et est abonnée si elle répond 200 avec la valeur de « challenge ».",
    submit: "S’abonner",
    mail_comes: "Regardez vos courriels : si cette adresse n’est pas déjà abonnée, un courriel est en route ou est arrivé récemment. Ouvrez le lien qu’il contient dans les 24 heures.",
    hook_is_asked: "Si cette adresse n’est pas déjà abonnée, elle est interrogée maintenant. Si elle répond comme il faut, elle est abonnée.",
    bad_address: "On ne peut rien envoyer à cette adresse. Vérifiez-la et essayez encore.",
    full: "Cette page n’accepte plus d’abonnés pour le moment. Le flux des incidents est ouvert à tous.",
    too_many: "Trop de personnes s’abonnent en ce moment, ou vous avez essayé trop souvent. Réessayez dans une heure.",
    is_it_you: |title| format!("S’abonner à « {title} » ?"),
    confirm: "Oui, m’abonner",
    confirmed: |title| format!("Vous êtes abonné à « {title} »."),
    leave_question: |title| format!("Vous êtes abonné à « {title} ». Plus de messages ?"),
    unsubscribe: "Se désabonner",
    left: "Vous êtes désabonné, et votre adresse est effacée.",
    gone: (
        "Ce lien ne mène plus nulle part",
        "L’abonnement a pris fin, ou n’a pas été confirmé dans les 24 heures. Vous pouvez vous abonner de nouveau sur la page d’état.",
    ),
    to_page: "Vers la page d’état",
    asked_subject: |title| format!("S’abonner à « {title} » ?"),
    asked_before: |title| {
        format!(
            "Quelqu’un, sans doute vous, veut que cette adresse apprenne ce que dit la page d’état « {title} ». Pour dire oui, ouvrez ce lien dans les 24 heures et appuyez sur le bouton :"
        )
    },
    asked_after: "Si ce n’était pas vous, ne faites rien : rien d’autre n’est envoyé, et l’adresse est effacée après un jour.",
    why_you: |title| format!("Vous recevez ceci parce que vous êtes abonné à « {title} ». Pour y mettre fin :"),
    n_news: |title, n| format!("{title} : {n} nouvelles"),
};

const SPANISH: Subscribing = Subscribing {
    subscribe: "Suscribirse",
    what_it_means: |title| {
        format!(
            "Se le avisa cuando empieza y termina una incidencia de «{title}», de lo que se dice de ella y de cuándo empieza un mantenimiento. \
             Cada mensaje tiene un enlace que pone fin a esto al instante. La dirección no se usa para nada más y se borra cuando usted se va."
        )
    },
    by_mail: ("Por correo", "Dirección de correo"),
    by_hook: ("Por webhook, para programas", "Dirección (https://…)"),
    hook_must_echo: "La dirección recibe primero un POST con JSON, y queda suscrita si responde 200 con el valor de «challenge».",
    submit: "Suscribirse",
    mail_comes: "Mire su correo: si esta dirección no está ya suscrita, un mensaje está en camino o ha llegado hace poco. Abra el enlace que contiene en un plazo de 24 horas.",
    hook_is_asked: "Si esta dirección no está ya suscrita, se le pregunta ahora. Si responde como debe, queda suscrita.",
    bad_address: "A esta dirección no se puede enviar nada. Compruébela e inténtelo de nuevo.",
    full: "Esta página no admite más suscriptores por el momento. El canal de incidencias está abierto a todos.",
    too_many: "Ahora mismo se suscriben demasiadas personas, o usted lo ha intentado demasiadas veces. Inténtelo dentro de una hora.",
    is_it_you: |title| format!("¿Suscribirse a «{title}»?"),
    confirm: "Sí, suscribirme",
    confirmed: |title| format!("Está suscrito a «{title}»."),
    leave_question: |title| format!("Está suscrito a «{title}». ¿No más mensajes?"),
    unsubscribe: "Darse de baja",
    left: "Se ha dado de baja, y su dirección se ha borrado.",
    gone: (
        "Este enlace ya no lleva a ninguna parte",
        "La suscripción terminó, o no se confirmó en 24 horas. Puede suscribirse de nuevo en la página de estado.",
    ),
    to_page: "A la página de estado",
    asked_subject: |title| format!("¿Suscribirse a «{title}»?"),
    asked_before: |title| {
        format!(
            "Alguien, seguramente usted, quiere que en esta dirección se sepa lo que dice la página de estado «{title}». Para decir que sí, abra este enlace en un plazo de 24 horas y pulse el botón:"
        )
    },
    asked_after: "Si no fue usted, no haga nada: no se envía nada más, y la dirección se borra después de un día.",
    why_you: |title| format!("Recibe esto porque se suscribió a «{title}». Para ponerle fin:"),
    n_news: |title, n| format!("{title}: {n} novedades"),
};

const JAPANESE: Subscribing = Subscribing {
    subscribe: "購読する",
    what_it_means: |title| {
        format!(
            "「{title}」で障害が始まったときと終わったとき、その経過、メンテナンスの開始をお知らせします。どのメッセージにも、すぐに停止できる\
             リンクがあります。アドレスはこのためだけに使い、解除すると削除します。"
        )
    },
    by_mail: ("メールで", "メールアドレス"),
    by_hook: ("Webhook で（プログラム向け）", "アドレス（https://…）"),
    hook_must_echo: "アドレスには最初に JSON の POST が届きます。「challenge」の値を 200 で返すと登録されます。",
    submit: "購読する",
    mail_comes: "メールをご確認ください。このアドレスがまだ登録されていなければ、メールをお送りするか、最近お送りしています。24 時間以内にその中のリンクを開いてください。",
    hook_is_asked: "このアドレスがまだ登録されていなければ、これから問い合わせます。正しく応答すると登録されます。",
    bad_address: "このアドレスには送信できません。確認して、もう一度お試しください。",
    full: "このページは現在、これ以上の購読を受け付けていません。障害のフィードは誰でもご利用いただけます。",
    too_many: "登録が混み合っているか、試行回数が多すぎます。1 時間後にもう一度お試しください。",
    is_it_you: |title| format!("「{title}」を購読しますか？"),
    confirm: "はい、購読します",
    confirmed: |title| format!("「{title}」を購読しました。"),
    leave_question: |title| format!("「{title}」を購読中です。メッセージを停止しますか？"),
    unsubscribe: "購読を解除する",
    left: "購読を解除し、アドレスを削除しました。",
    gone: (
        "このリンクはもう使えません",
        "購読が解除されたか、24 時間以内に確認されませんでした。ステータスページからもう一度購読できます。",
    ),
    to_page: "ステータスページへ",
    asked_subject: |title| format!("「{title}」を購読しますか？"),
    asked_before: |title| {
        format!(
            "どなたか（おそらくご本人）が、ステータスページ「{title}」のお知らせをこのアドレスで受け取ることを希望しています。よろしければ、24 時間以内に次のリンクを開き、ボタンを押してください。"
        )
    },
    asked_after: "お心当たりがなければ、何もなさらないでください。これ以上何も送らず、アドレスは 1 日後に削除します。",
    why_you: |title| format!("「{title}」を購読されているため、お送りしています。停止するには次のリンクを開いてください。"),
    n_news: |title, n| format!("{title}：お知らせ {n} 件"),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_says_everything_and_names_the_page() {
        for language in Language::ALL {
            let s = subscribing(language);
            for named in [s.what_it_means, s.is_it_you, s.confirmed, s.leave_question, s.asked_subject, s.asked_before, s.why_you] {
                assert!(named("Status <of> A").contains("Status <of> A"), "{language:?}");
            }
            assert!((s.n_news)("A", 7).contains('7') && (s.n_news)("A", 7).contains('A'), "{language:?}");
            let pairs = [s.by_mail, s.by_hook, s.gone].into_iter().flat_map(|(one, other)| [one, other]);
            let fixed = [s.subscribe, s.hook_must_echo, s.submit, s.mail_comes, s.hook_is_asked, s.bad_address, s.full, s.too_many];
            let rest = [s.confirm, s.unsubscribe, s.left, s.to_page, s.asked_after];
            assert!(pairs.chain(fixed).chain(rest).all(|text| !text.trim().is_empty()), "{language:?}");
            // Of paper, and "within" that is taken for "after".
            for wrong in ["Brief", "lettre", "carta", "contiene en 24", "enlace en 24"] {
                assert!(!s.mail_comes.contains(wrong) && !(s.asked_before)("A").contains(wrong), "{language:?}: {wrong}");
            }
        }
    }
}
