//! Japanese. Nouns have no plural.

use crate::model::incident::Lane;
use crate::model::page::AnnouncementKind;
use crate::model::page::Language;
use crate::model::update::UpdateState;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::Verdict;
use crate::ui::language::Counts;
use crate::ui::language::DayCounts;
use crate::ui::language::Detail;
use crate::ui::language::Phrases;

pub(super) const PHRASES: Phrases = Phrases {
    language: Language::Japanese,
    comma: "、",
    colon: "：",
    decimal: '.',
    before_percent: "",
    units: ["秒", "分", "時間", "日"],
    nothing_listed: "まだ何も登録されていません",
    no_current_data: "最新のデータがありません",
    all_paused: "監視は一時停止中です",
    all_operational: "すべてのシステムが正常に稼働しています",
    counted,
    operational_but: |regional, n, place| format!("稼働中ですが、{n}件中{regional}件のサービスで{place}からの接続に問題があります"),
    and_regional: |regional, place| format!("。また、{regional}件で{place}からの接続に問題があります"),
    some_regions: "一部の地域",
    as_of: ("", " 現在"),
    old_as_of: ("最新のデータは ", " のものです。以下の内容は現状と異なる可能性があります。"),
    nothing_checked: "まだ確認が行われていません",
    not_renewed: "このページを更新できませんでした。表示内容は現状と異なる可能性があります。",
    state: |state| match state {
        Verdict::Up => "正常",
        Verdict::Degraded => "性能低下",
        Verdict::Down => "停止",
        Verdict::Unknown => "不明",
        Verdict::Paused => "一時停止",
        Verdict::Maintenance => "メンテナンス",
    },
    tally: |state, n| match state {
        Verdict::Up => format!("正常 {n}件"),
        Verdict::Degraded => format!("性能低下 {n}件"),
        Verdict::Down => format!("停止 {n}件"),
        Verdict::Unknown => format!("不明 {n}件"),
        Verdict::Paused => format!("一時停止 {n}件"),
        Verdict::Maintenance => format!("メンテナンス中 {n}件"),
    },
    detail: |detail| match detail {
        Detail::Late => "遅延",
        Detail::NeverPinged => "未受信",
        Detail::Waiting => "待機中",
    },
    partly: "一部地域で障害",
    failing_from: |places| format!("{places}から接続できません"),
    measured_from: |place| format!("{place}から"),
    response_times: |from, to| format!("最近の応答時間：{from}～{to}"),
    days_ago: |n| format!("{n}日前"),
    today: "今日",
    days_summary,
    available: |share| format!("稼働率 {share}"),
    unknown_share: |share| format!("不明 {share}"),
    maintenance_share: |share| format!("メンテナンス {share}"),
    no_data_yet: "データなし",
    days_with_trouble: |n| format!("問題のあった日：{n}日"),
    more_days: |n| format!("ほか{n}日"),
    day_fine: "問題なし",
    day_unknown: "データなし",
    day_down: |span| format!("停止 {span}"),
    day_maintenance: |span| format!("メンテナンス {span}"),
    day_degraded: "性能低下",
    regions: "地域",
    service: "サービス",
    not_checked_here: "ここからは確認していません",
    n_failing: |n| format!("障害 {n}件"),
    none_failing: "問題なし",
    only_troubled: "すべての地域から正常なサービスは個別に表示していません。",
    open_incidents: "発生中の障害",
    past_announcements: "過去のお知らせ",
    past_incidents: "過去の障害",
    no_past_incidents: "表示期間中の障害はありません。",
    update_state: |state| match state {
        UpdateState::Investigating => "調査中",
        UpdateState::Identified => "原因を特定",
        UpdateState::Monitoring => "経過観察中",
        UpdateState::Resolved => "解決済み",
    },
    postmortem: "事後報告",
    lane: |lane| match lane {
        Lane::Outage => "停止",
        Lane::Degradation => "性能低下",
        Lane::Regional => "一部地域で障害",
    },
    began_at: |at| format!("{at} に発生"),
    lasting: |span| format!("{span}継続中"),
    lasted: |span| format!("継続時間 {span}"),
    diagnosed: "診断：",
    diagnosis: |diagnosis| match diagnosis {
        Diagnosis::PathDns => "内部からは正常で、外部からは名前を解決できません。DNSレコードとリゾルバーを確認してください",
        Diagnosis::PathConnect => "内部からは正常で、外部からは接続できません。ロードバランサー、ファイアウォール、回線を確認してください",
        Diagnosis::PathTls => "内部からは正常で、外部からはTLSに失敗します。入口の証明書を確認してください",
        Diagnosis::PathGateway => "内部からは正常で、入口に正常な転送先がありません。ヘルスチェックとエンドポイントを確認してください",
        Diagnosis::PathOther => "内部からは正常で、外部からは利用できません。その間の経路を確認してください",
        Diagnosis::Service => "内部からも利用できません。サービス自体を確認してください",
        Diagnosis::Inside => "外部からは正常で、内部からは利用できません。内部DNS、ネットワークポリシー、NAT、内部の監視を確認してください",
        Diagnosis::Transit => "内部とほかの地域からは正常です。該当地域のトランジット、CDN、地域別DNSを確認してください",
    },
    over: "終了",
    maintenance: "メンテナンス",
    planned_maintenance: "メンテナンスの予定",
    under_way: "実施中",
    planned: "予定",
    until: " ～ ",
    ends: |when| format!("{when}に終了"),
    begins: |when, span| format!("{when}に開始、所要時間 {span}"),
    affects: |names, n_more| if n_more == 0 { format!("対象：{names}") } else { format!("対象：{names}、ほか{n_more}件") },
    announcement: |kind| match kind {
        AnnouncementKind::Info => "お知らせ",
        AnnouncementKind::Warning => "注意",
        AnnouncementKind::Outage => "障害",
        AnnouncementKind::Operational => "復旧",
    },
    ago: |span| format!("{span}前"),
    in_future: |span| format!("{span}後"),
    password_needed: "パスワードが必要です",
    password: "パスワード",
    show_page: "ページを表示",
    wrong_password: "パスワードが正しくありません。",
    skip: "サービス一覧へ",
    days_in_utc: "日付の区切りはUTCです",
    monitored_by: "vigilmonによる監視",
    feed: "障害のフィード",
    calendar: "メンテナンスのカレンダー",
};

fn counted(counts: Counts) -> String {
    let Counts { n_down, n_degraded, n_unknown, n_maintenance, n } = counts;
    let sentence = match (n_down, n_degraded, n_unknown) {
        (0, 0, 0) if n_maintenance == n => return format!("{n}件のサービスがメンテナンス中です"),
        (0, 0, 0) => return format!("稼働中、{n}件中{n_maintenance}件のサービスがメンテナンス中です"),
        (0, 0, unknown) => format!("{n}件中{unknown}件のサービスの状態が不明です"),
        (0, degraded, _) => format!("{n}件中{degraded}件のサービスで性能が低下しています"),
        (down, 0, _) => format!("{n}件中{down}件のサービスが停止しています"),
        (down, degraded, _) => format!("{n}件中{down}件のサービスが停止、{degraded}件で性能が低下しています"),
    };
    if 0 < n_maintenance { format!("{sentence}（メンテナンス中 {n_maintenance}件）") } else { sentence }
}

fn days_summary(counts: DayCounts) -> String {
    let DayCounts { n_down, n_degraded, n_unknown, n_maintenance, n } = counts;
    let planned = if n_maintenance == 0 { String::new() } else { format!("、メンテナンス {n_maintenance}日") };
    format!("過去{n}日間：停止 {n_down}日、性能低下 {n_degraded}日、データなし {n_unknown}日{planned}")
}
