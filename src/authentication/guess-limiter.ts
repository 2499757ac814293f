import type { Now } from '../clock.ts'
import type { CounterKeys } from '../throttle/counter-keys.ts'
import type { Counters } from '../throttle/counters.ts'
import type { DelayLimits, Limit } from '../throttle/limits.ts'
import { reserve } from '../throttle/reservation.ts'
import { AccountLines, type Turn } from './account-lines.ts'
import { DeviceTokens } from './device-tokens.ts'
import { GuessDelays, isDelay } from './guess-delays.ts'

/** The origin of a sign-in, before anything about it is verified. */
export interface SignInFacts {
  /** The username or email address as it was given, whether it belongs to anybody or not. */
  readonly account: string
  /** The person with that name; undefined when there is none. */
  readonly userId: string | undefined
  readonly ip: string
  readonly deviceToken: string | undefined
}

/**
 * Permission to try one password. The guess counts as a failure from the start; disposing of it takes
 * that back unless the password was wrong.
 */
interface Guess extends AsyncDisposable {
  /** The password was wrong. */
  failed(): void
  /**
   * The password was right: forgets the failures of the account on this device.
   * @returns a device token for the person's next sign-in
   */
  succeeded(userId: string): Promise<string>
}

interface Dependencies {
  readonly counters: Counters
  readonly keys: CounterKeys
  /** Derives the key of the device tokens: 256 bits that all instances share. */
  readonly secret: Uint8Array
  readonly now: Now
  /** Limits by the origin of a guess. */
  readonly sources: readonly Limit[]
  readonly delays: DelayLimits
  /** How long attempts of one account wait for each other. */
  readonly waitSeconds: number
}

/** The outcomes of a counted guess: one of the two is called, or neither after a failure. */
interface Settlement {
  readonly forget: () => Promise<unknown>
  readonly giveBack: () => Promise<unknown>
}

/**
 * Limits the guessing of passwords, RFC 6749 §4.3.2. All unknown devices share the delays of the
 * account. A known device has delays of its own and no limit by its origin, so that no stranger's
 * guessing locks it out.
 */
export class GuessLimiter {
  readonly #deps: Dependencies
  readonly #delays: GuessDelays
  readonly #lines: AccountLines
  readonly #devices: DeviceTokens
  /** Part of the keys of known devices: raising it forgets the failures of all of them. */
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
    // It must outlive every counter that it makes unreachable.
    const windowSeconds = 2 * deps.delays.forgetSeconds
    this.#epoch = { policy: 'sign-in-epoch', points: 1e9, windowSeconds, per: ['person'] }
  }

  /**
   * Waits in the line of the account, before anything is looked up. A known device has a line of its
   * own, so that strangers who fill theirs do not delay it; the token alone decides which.
   * @throws ThrottledError when the line is full or takes too long
   */
  enterLine({ account, ip, deviceToken }: Omit<SignInFacts, 'userId'>): Promise<Turn> {
    const { keys, now } = this.#deps
    const read = deviceToken ? this.#devices.read(deviceToken, now()) : undefined
    const key = `${keys.account(account)} ${read?.device.toString('hex') ?? ''}`
    return this.#lines.enter(key, ip)
  }

  /**
   * Counts one guess as a failure, so that its password may be checked. Many guesses at once would
   * otherwise all be let through before the first of them had failed.
   * @throws ThrottledError when a limit has been reached or a delay lasts: no password may be checked
   */
  async reserve({ account, userId, ip, deviceToken }: SignInFacts): Promise<Guess> {
    const { keys, sources, now } = this.#deps
    const device = userId && deviceToken && this.#devices.deviceOf(deviceToken, userId, now())
    const key = device ? await this.#deviceKey(userId, device) : keys.account(account)
    const limits = device ? [] : sources
    const counted =
      (await this.#countQuietly(key, limits, ip)) ?? (await this.#count(key, limits, ip))
    let isSettled = false
    return {
      failed() {
        isSettled = true
      },
      succeeded: async (person) => {
        isSettled = true
        await counted.forget()
        return this.#devices.issue(person, now(), device || undefined)
      },
      [Symbol.asyncDispose]: async () => {
        if (!isSettled) await counted.giveBack()
      },
    }
  }

  /** For a device that was verified without a password, as by the link of a password reset. */
  deviceTokenFor(userId: string): string {
    return this.#devices.issue(userId, this.#deps.now())
  }

  /** When this person last signed in on the device of a token; undefined: the device is new to them. */
  knownSince(deviceToken: string | undefined, userId: string): Date | undefined {
    if (deviceToken === undefined) return undefined
    return this.#devices.issuedAt(deviceToken, userId, this.#deps.now())
  }

  /** Forgets every failed sign-in of a person: by each of their names, on each device. */
  async unlock(userId: string, names: readonly string[]): Promise<void> {
    const { counters, keys } = this.#deps
    await Promise.all([
      counters.take(this.#epoch, keys.of(this.#epoch, { person: userId })),
      ...names.map((name) => this.#delays.forget(keys.account(name))),
    ])
  }

  /** The usual case: so few guesses have failed lately that one round trip counts this one. */
  async #countQuietly(
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
      forget: () => Promise.allSettled([taken.giveBack([free, level, gate])]),
      giveBack: () => Promise.allSettled([taken.giveBack()]),
    }
  }

  /** @throws ThrottledError */
  async #count(key: string, limits: readonly Limit[], ip: string): Promise<Settlement> {
    const { counters, keys } = this.#deps
    const reservation = await reserve(counters, keys, limits, { ip })
    const giveBackSources = () => reservation[Symbol.asyncDispose]()
    const giveBackDelay = await this.#delays.take(key).catch(async (error) => {
      await giveBackSources()
      throw error
    })
    return {
      forget: () => Promise.allSettled([this.#delays.forget(key), giveBackSources()]),
      giveBack: () => Promise.allSettled([giveBackDelay(), giveBackSources()]),
    }
  }

  async #deviceKey(userId: string, device: Buffer): Promise<string> {
    const { counters, keys } = this.#deps
    const epoch = await counters.read(this.#epoch, keys.of(this.#epoch, { person: userId }))
    return keys.device(userId, device, epoch?.points ?? 0)
  }
}
