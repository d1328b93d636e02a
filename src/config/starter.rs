//! The config that `vigilmon init` writes: small enough to be read in a minute.

/// Text of a first config file; loads as it is.
#[must_use]
pub fn starter_config() -> String {
    STARTER.to_owned()
}

const STARTER: &str = "\
# vigilmon: what to watch and whom to tell.
#
# Check this file with `vigilmon validate`, then start with `vigilmon run`. While vigilmon runs, it picks up changes by itself.
# Every key is explained in config.example.yaml and docs/configuration.md.

server:
  listen: 127.0.0.1:8080   # only this machine; 0.0.0.0:8080 lets others see the status pages

monitors:
  # The shortest form. Up means: an answer with a status from 200 to 299, within ten seconds.
  - http: https://example.com

  # With a name, and with more demands on the answer.
  # - name: Shop
  #   http: https://shop.example.com/health
  #   interval: 30s
  #   expect:
  #     status: 200
  #     body_contains: '\"status\":\"ok\"'
  #     response_time: 2s
  #   channels: [chat]

  # Anything that accepts connections.
  # - name: Database
  #   tcp: db.internal:5432

# Where messages go. Monitors name their channels, as above.
# channels:
#   - name: chat
#     slack: { url: { env: SLACK_WEBHOOK_URL } }
#   - name: hook
#     webhook: { url: https://ops.example.com/hook }

# What visitors see, at /status/main.
# status_pages:
#   - slug: main
#     title: Our services
#     groups:
#       - { name: Services, monitors: \"*\" }
";
