import {
  type Aggregator,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  Registry,
} from 'prom-client'

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** How gauges that every worker measures are combined. All other metrics are summed. */
const aggregators: Readonly<Record<string, Aggregator>> = {
  clock_offset_seconds: 'average',
  redis_trusted: 'min',
  throttle_redis_away: 'max',
  feed_entries: 'max',
  feed_age_seconds: 'max',
  signing_key_age_seconds: 'max',
  mail_waiting: 'max',
  mail_oldest_seconds: 'max',
  logout_notifications_waiting: 'max',
  logout_notifications_oldest_seconds: 'max',
  janitor_last_run_age_seconds: 'min',
  janitor_lag_seconds: 'min',
  janitor_deleted_rows: 'max',
}

const aggregatorOf = (name: string): Aggregator => aggregators[name] ?? 'sum'

/** The metrics of one server, in a registry of its own, so that tests can run several servers. */
export class Metrics {
  readonly registry = new Registry()
  readonly #register = { registers: [this.registry] }

  readonly requests = new Counter({
    name: 'signet_http_requests_total',
    help: 'Answered requests by route, method and status',
    labelNames: ['route', 'method', 'status'] as const,
    ...this.#register,
  })
  readonly forwardedIgnored = new Counter({
    name: 'signet_forwarded_for_ignored_total',
    help: 'Requests with X-Forwarded-For while TRUSTED_PROXIES is empty',
    ...this.#register,
  })
  readonly tokenRequests = new Counter({
    name: 'signet_token_requests_total',
    help: 'Token requests by grant and outcome: ok or the OAuth error code',
    labelNames: ['grant', 'outcome'] as const,
    ...this.#register,
  })
  readonly tokenSeconds = new Histogram({
    name: 'signet_token_request_seconds',
    help: 'Time to answer a token request, by grant',
    labelNames: ['grant'] as const,
    buckets: seconds,
    ...this.#register,
  })
  readonly refreshes = new Counter({
    name: 'signet_refreshes_total',
    help: 'Refreshes by outcome; reused: a spent token was used again, and its session was ended',
    labelNames: ['outcome'] as const,
    ...this.#register,
  })
  readonly introspections = new Counter({
    name: 'signet_introspections_total',
    help: 'Introspections by answer',
    labelNames: ['active'] as const,
    ...this.#register,
  })
  readonly feedDocuments = new Counter({
    name: 'signet_feed_documents_total',
    help: 'Revocation lists that were signed for verifiers',
    ...this.#register,
  })
  readonly mails = new Counter({
    name: 'signet_mails_total',
    help: 'Mails by template and outcome: sent, retried, given_up, dropped (no longer needed)',
    labelNames: ['template', 'outcome'] as const,
    ...this.#register,
  })
  readonly logouts = new Counter({
    name: 'signet_logout_notifications_total',
    help: 'Notifications of clients that a session has ended: delivered, retried, given_up',
    labelNames: ['outcome'] as const,
    ...this.#register,
  })

  readonly throttled = new Counter({
    name: 'signet_throttled_total',
    help: 'Requests refused with 429, by the limit that they exceeded',
    labelNames: ['policy'] as const,
    ...this.#register,
  })

  readonly breachedPasswords = new Counter({
    name: 'signet_breached_password_checks_total',
    help: 'New passwords looked up in the range service; failed: no answer, and the password was accepted',
    labelNames: ['outcome'] as const,
    ...this.#register,
  })

  /** Adds the default metrics of Node, `process_…` and `nodejs_…`. */
  collectProcess(): void {
    collectDefaultMetrics({ register: this.registry })
  }

  /** Registers a counter that is kept elsewhere and read at each scrape. */
  counter(name: string, help: string, read: () => number): void {
    new Counter({
      name: `signet_${name}`,
      help,
      ...this.#register,
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  }

  /** Registers a gauge that is read at each scrape. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: `signet_${name}`,
      help,
      aggregator: aggregatorOf(name),
      ...this.#register,
      collect() {
        this.set(read())
      },
    })
  }

  /** Registers a gauge with one label that is read at each scrape. */
  gauges(name: string, help: string, label: string, read: () => Record<string, number>): void {
    new Gauge({
      name: `signet_${name}`,
      help,
      labelNames: [label],
      aggregator: aggregatorOf(name),
      ...this.#register,
      collect() {
        this.reset()
        for (const [value, number] of Object.entries(read())) this.set({ [label]: value }, number)
      },
    })
  }
}
