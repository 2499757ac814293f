/** The state of a limit for one caller. */
export interface Quota {
  readonly policy: string
  readonly limit: number
  readonly windowSeconds: number
  readonly remaining: number
  /** Until points are available again. */
  readonly resetSeconds: number
}

/** Too many attempts; the caller should retry after `retryAfterSeconds`. */
export class ThrottledError extends Error {
  override readonly name = 'ThrottledError'
  readonly quota: Quota

  constructor(quota: Quota) {
    super(`too many attempts: ${quota.policy}`)
    this.quota = quota
  }

  /** Advice besides waiting; the same for every account. */
  get advice(): string | undefined {
    if (this.quota.policy !== 'sign-in') return undefined
    return 'Too many failed sign-ins to this account. Wait, or reset the password by email.'
  }

  get retryAfterSeconds(): number {
    return Math.max(1, this.quota.resetSeconds)
  }
}

/** draft-ietf-httpapi-ratelimit-headers, as RFC 9651 structured fields. Policies are plain ASCII. */
export const rateLimitFields = (quota: Quota): Record<string, string> => ({
  'ratelimit-policy': `"${quota.policy}";q=${quota.limit};w=${quota.windowSeconds}`,
  ratelimit: `"${quota.policy}";r=${quota.remaining};t=${quota.resetSeconds}`,
})

/** The fields of a 429 answer, RFC 6585 §4. */
export const throttledFields = (error: ThrottledError): Record<string, string> => ({
  'retry-after': String(error.retryAfterSeconds),
  ...rateLimitFields(error.quota),
})
