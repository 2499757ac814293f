import type { Now } from '../clock.ts'
import type { CounterKeys } from '../throttle/counter-keys.ts'
import type { Counters } from '../throttle/counters.ts'
import type { DelayLimits, Limit } from '../throttle/limits.ts'
import { reserve, type Settlement, settle } from '../throttle/reservation.ts'
import { AccountLines } from './account-lines.ts'
import { DeviceTokens } from './device-tokens.ts'
import { GuessDelays, isDelay } from './guess-delays.ts'

/** Who wants to sign in, before anything about them is believed. */
export interface SignInFacts {
  /** The username or e-mail address as it was given, whether anybody has it or not. */
  readonly account: string
  /** Whose account that is; undefined when it is nobody's. */
  readonly userId: string | undefined
  readonly ip: string
  readonly deviceToken: string | undefined
}

interface Dependencies {
  readonly counters: Counters
  readonly keys: CounterKeys
  readonly secret: Uint8Array
  readonly now: Now
  /** By where a guess comes from. */
  readonly sources: readonly Limit[]
  readonly delays: DelayLimits
  /** How long attempts of one account wait for each other. */
  readonly waitSeconds: number
}

/**
 * Guessing of passwords, RFC 6749 §4.3.2. All devices that are not known share the delays of the
 * account; a known device has its own and is not asked where it comes from, so that no stranger's
 * guessing locks it out.
 */
export class GuessLimiter {
  readonly #deps: Dependencies
  readonly #delays: GuessDelays
  readonly #lines: AccountLines
  readonly #devices: DeviceTokens
  /** Part of the keys of known devices: raising it forgets what all of them have failed. */
  readonly #epoch: Limit

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#delays = new GuessDelays(deps.counters, deps.delays)
    this.#devices = new DeviceTokens(deps.secret)
    this.#lines = new AccountLines({
      waitSeconds: deps.waitSeconds,
      isDelay,
      busy: () => this.#delays.refusal(1000),
    })
    // It outlives every counter that it has put out of reach.
    const windowSeconds = 2 * deps.delays.forgetSeconds
    this.#epoch = { policy: 'sign-in-epoch', points: 1e9, windowSeconds, per: ['person'] }
  }

  /**
   * Waits in the line of the account, before anything is looked up. A known device has a line of its
   * own, so that strangers who fill theirs do not hold it up; the token alone says which.
   * @param work ends in `attempt`; it is called again after a delay that another's success ended.
   *   undefined is a failure
   * @throws Throttled when there is no room in line, or not in time
   */
  inLine<T>(
    { account, ip, deviceToken }: Omit<SignInFacts, 'userId'>,
    work: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const { keys, now } = this.#deps
    const read = deviceToken ? this.#devices.read(deviceToken, now()) : undefined
    const key = `${keys.account(account)} ${read?.device.toString('hex') ?? ''}`
    return this.#lines.attempt(key, ip, work)
  }

  /**
   * Lets one password be tried. A failure is counted before the password is checked and taken back
   * when it was none: many guesses at once would all be let in before the first of them has failed.
   * @param check undefined is a failure; a throw is neither failure nor success
   * @returns the person and what to keep on the device; undefined after a failure
   * @throws Throttled, without having called `check`
   */
  async attempt<T extends { readonly id: string }>(
    facts: SignInFacts,
    check: () => Promise<T | undefined>,
  ): Promise<{ person: T; deviceToken: string } | undefined> {
    const { keys, sources, now } = this.#deps
    const { account, userId, ip, deviceToken } = facts
    const device = userId && deviceToken && this.#devices.deviceOf(deviceToken, userId, now())
    const key = device ? await this.#deviceKey(userId, device) : keys.account(account)
    const limits = device ? [] : sources
    const turn = (await this.#quietTurn(key, limits, ip)) ?? (await this.#turn(key, limits, ip))
    const person = await settle(check, turn)
    if (!person) return undefined
    return { person, deviceToken: this.#devices.issue(person.id, now(), device || undefined) }
  }

  deviceTokenFor(userId: string): string {
    return this.#devices.issue(userId, this.#deps.now())
  }

  async unlock(userId: string, names: readonly string[]): Promise<void> {
    const { counters, keys } = this.#deps
    await Promise.all([
      counters.take(this.#epoch, keys.of(this.#epoch, { person: userId })),
      ...names.map((name) => this.#delays.forget(keys.account(name))),
    ])
  }

  /** Nearly everybody's: so few have failed lately that nothing has to be decided. */
  async #quietTurn(
    key: string,
    limits: readonly Limit[],
    ip: string,
  ): Promise<Settlement | undefined> {
    const { counters, keys } = this.#deps
    const { free, level, gate } = this.#delays.countersOf(key)
    const points = limits.map((rule) => ({ rule, key: keys.of(rule, { ip }) }))
    const taken = await counters.takeTogether([...points, free], level)
    if (!taken) return undefined
    return {
      succeeded: () => Promise.allSettled([taken.giveBack([free, level, gate])]),
      abandoned: () => Promise.allSettled([taken.giveBack()]),
    }
  }

  /** @throws Throttled */
  async #turn(key: string, limits: readonly Limit[], ip: string): Promise<Settlement> {
    const { counters, keys } = this.#deps
    const giveBack = await reserve(counters, keys, limits, { ip })
    const turn = await this.#delays.take(key).catch(async (error) => {
      await giveBack()
      throw error
    })
    return {
      succeeded: () => Promise.allSettled([this.#delays.forget(key), giveBack()]),
      abandoned: () => Promise.allSettled([turn.giveBack(), giveBack()]),
    }
  }

  async #deviceKey(userId: string, device: Buffer): Promise<string> {
    const { counters, keys } = this.#deps
    const epoch = await counters.read(this.#epoch, keys.of(this.#epoch, { person: userId }))
    return keys.device(userId, device, epoch?.points ?? 0)
  }
}
