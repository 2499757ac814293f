import { hash, randomBytes } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { Device } from '../authentication/authentication.ts'
import type { GuessLimiter } from '../authentication/guess-limiter.ts'
import type { SealedValues } from '../authentication/sealed-values.ts'
import type { Clients } from '../clients/clients.ts'
import type { Now } from '../clock.ts'
import { foldIdentifier } from '../identifier.ts'
import { uuidBytes, uuidOf } from '../oauth/opaque-token.ts'
import type { BegunBrowserSession, BrowserSessions } from '../sessions/browser-sessions.ts'
import type { Credentials } from '../users/credentials.ts'
import type { User } from '../users/user.ts'
import type { Users } from '../users/users.ts'
import type { Flow } from './browser-flow.ts'
import type { SignIn } from './sign-in.ts'

interface Dependencies {
  readonly clients: Clients
  readonly users: Users
  readonly credentials: Credentials
  readonly browsers: BrowserSessions
  readonly signIn: SignIn
  readonly guesses: GuessLimiter
  readonly sealed: SealedValues
  /** The client of sign-ins that no app has asked for: the account pages. */
  readonly ownClientId: string
  readonly now: Now
}

/** The sender of a form. */
export interface Caller {
  readonly device: Device
  /** The cookie of its browser session, live or not. */
  readonly cookie: string | undefined
  readonly deviceToken: string | undefined
  /** The proof that came with the value of an owed password. */
  readonly pendingProof: string | undefined
}

interface PasswordForm {
  /** Sealed when the page was shown: it becomes the id of the browser session. */
  readonly attempt: string | undefined
  readonly identifier: string
  readonly password: string
  readonly remember: boolean
}

/** The outcome of a form in which a person proves who they are. */
export type SignInOutcome =
  | {
      readonly kind: 'signed-in'
      readonly session: BegunBrowserSession
      readonly deviceToken: string
      readonly user: User
    }
  | { readonly kind: 'wrong' }
  /** The form is too old, or belongs to another person's session: the page is shown anew. */
  | { readonly kind: 'stale' }
  /** The password was right, and must be replaced. */
  | {
      readonly kind: 'new-password'
      readonly pending: string
      /** A secret for the cookie of the browser, because `pending` is in its history. */
      readonly proof: string
    }

/** A person whose password was right and who owes a new one. The value is worthless once it is set. */
interface Pending {
  readonly userId: string
  readonly passwordChangedAt: number
  readonly attempt: string
  readonly remember: boolean
  /** SHA-256 of the proof. */
  readonly proofDigest: string
}

/** A registration whose mail is on its way. It looks the same when there is none (ASVS 6.3.8). */
export interface Waiting {
  readonly userId: string
  readonly email: string
}

/** As long as the link of the mail is valid. */
const waitingSeconds = 86_400

/** A page may stay open over a weekend. */
const attemptSeconds = 3 * 86_400
const pendingSeconds = 600

/** People sign in on pages: with a password, or after another verification of who they are. */
export class BrowserSignIn {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** The hidden field of a form that begins a session: sent twice, it begins one. */
  newAttempt(): Promise<string> {
    return this.#deps.sealed.seal('attempt', { id: uuidv7() })
  }

  async #attemptId(attempt: string | undefined): Promise<string | undefined> {
    const opened = await this.#deps.sealed.open<{ id: string }>('attempt', attempt, attemptSeconds)
    return opened?.id
  }

  /**
   * Signs a person in with a password, or proves again who they are.
   * @throws ThrottledError after too many guesses
   * @throws OverloadedError when too many sign-ins are running
   */
  async withPassword(
    form: PasswordForm,
    flow: Flow | undefined,
    caller: Caller,
  ): Promise<SignInOutcome> {
    const { signIn, clients, ownClientId } = this.#deps
    const attemptId = await this.#attemptId(form.attempt)
    const client = flow?.client ?? (await clients.find(ownClientId))?.client
    if (attemptId === undefined || !client) return { kind: 'stale' }
    const { device, deviceToken } = caller
    const outcome = await signIn.begin(
      {
        identifier: form.identifier,
        password: form.password,
        client,
        device,
        deviceToken,
      },
      ({ user, at, methods, level }) =>
        this.#begin({
          id: attemptId,
          user,
          proof: { authTime: at, amr: methods, acr: level },
          flow,
          caller,
          remember: form.remember,
        }),
    )
    if (!('refused' in outcome)) {
      const { authentication, result: session } = outcome
      return {
        kind: 'signed-in',
        session,
        deviceToken: outcome.deviceToken,
        user: authentication.user,
      }
    }
    if (outcome.refused === 'wrong_credentials') return { kind: 'wrong' }
    const { user } = outcome
    const proof = randomBytes(32).toString('base64url')
    const pending: Pending = {
      userId: user.id,
      passwordChangedAt: user.passwordChangedAt.getTime(),
      attempt: attemptId,
      remember: form.remember,
      proofDigest: digestOf(proof),
    }
    return {
      kind: 'new-password',
      pending: await this.#deps.sealed.seal('pending', pending),
      proof,
    }
  }

  /**
   * The session of a person who has authenticated: their own one is renewed, any other is replaced. Two
   * copies of a form begin one session, and get the same cookie.
   */
  async #begin({ id, user, proof, flow, caller, remember }: Beginning) {
    const { browsers, guesses } = this.#deps
    const { device, cookie, deviceToken } = caller
    const before = cookie === undefined ? undefined : await browsers.find(cookie)
    const person = { id: user.id, passwordChangedAt: user.passwordChangedAt }
    const requestId = flow?.request.id
    if (before?.session.userId === user.id) {
      const again = { user: person, ...proof, requestId, remembered: remember, ip: device.ip }
      const renewed = await browsers.reauthenticate(before, again)
      if (renewed) return renewed
    }
    return browsers.begin({
      id,
      user: person,
      ...proof,
      requestId,
      remembered: remember,
      ip: device.ip,
      userAgent: device.userAgent,
      deviceKnownSince: guesses.knownSince(deviceToken, user.id),
      app: flow && (flow.client.name || flow.client.id),
      replaces: cookie,
    })
  }

  /**
   * The id of a person who registers: the same for two copies of a form, and another one for another address
   * in the same form.
   */
  async personIdFor(attempt: string | undefined, email: string): Promise<string | undefined> {
    const id = await this.#attemptId(attempt)
    if (id === undefined) return undefined
    const bytes = uuidBytes(id)
    const derived = hash('sha256', `${id} ${foldIdentifier(email)}`, 'buffer')
    derived.copy(bytes, 9, 0, 7)
    return uuidOf(bytes)
  }

  /** For the page that waits for a mail: it binds the code of the mail to this browser. */
  waitFor({ userId, email }: Waiting): Promise<string> {
    return this.#deps.sealed.seal('waiting', { userId, email })
  }

  waitingOf(sealed: string | undefined): Promise<Waiting | undefined> {
    return this.#deps.sealed.open<Waiting>('waiting', sealed, waitingSeconds)
  }

  /** Signs in a person who has just registered, or entered the code of a mail. */
  async beginFor(
    userId: string,
    amr: readonly string[],
    attempt: string | undefined,
    flow: Flow | undefined,
    caller: Caller,
  ): Promise<BegunBrowserSession | undefined> {
    const user = await this.#deps.users.find(userId)
    if (!user) return undefined
    const id = (await this.#attemptId(attempt)) ?? uuidv7()
    const proof = { authTime: this.#deps.now(), amr, acr: 'urn:signet:acr:one' }
    return this.#begin({ id, user, proof, flow, caller, remember: false })
  }

  async #owed(pending: string | undefined, caller: Caller): Promise<Pending | undefined> {
    const { sealed } = this.#deps
    const owed = await sealed.open<Pending>('pending', pending, pendingSeconds)
    return owed?.proofDigest === digestOf(caller.pendingProof ?? '') ? owed : undefined
  }

  /** The person of a password that has to be replaced; undefined when the value is too old or worthless. */
  async personOwing(pending: string | undefined, caller: Caller): Promise<User | undefined> {
    const { users } = this.#deps
    const owed = await this.#owed(pending, caller)
    const user = owed && (await users.find(owed.userId))
    return user && !user.disabledAt ? user : undefined
  }

  /**
   * Sets the new password that a person owes, and signs them in.
   * @returns undefined if the value is too old, or the password was set meanwhile
   * @throws PasswordError when the policy refuses the password
   */
  async setOwedPassword(
    pending: string | undefined,
    password: string,
    flow: Flow | undefined,
    caller: Caller,
  ): Promise<BegunBrowserSession | undefined> {
    const { users, credentials } = this.#deps
    const owed = await this.#owed(pending, caller)
    const user = owed && (await users.find(owed.userId))
    if (!user || user.disabledAt) return undefined
    // A second copy of the form gets the session that the first one began.
    if (user.passwordChangedAt.getTime() !== owed.passwordChangedAt) {
      return this.#deps.browsers.begunBefore(owed.attempt, user.id)
    }
    const changed = await credentials.replaceOwed(user, password, { ip: caller.device.ip })
    const proof = { authTime: this.#deps.now(), amr: ['pwd'], acr: 'urn:signet:acr:one' }
    const id = owed.attempt
    return this.#begin({ id, user: changed.user, proof, flow, caller, remember: owed.remember })
  }
}

const digestOf = (proof: string): string => hash('sha256', proof, 'base64url')

interface Beginning {
  readonly id: string
  readonly user: User
  readonly proof: {
    readonly authTime: Date
    readonly amr: readonly string[]
    readonly acr: string
  }
  readonly flow: Flow | undefined
  readonly caller: Caller
  readonly remember: boolean
}
