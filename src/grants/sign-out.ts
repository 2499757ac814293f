import type { AuditTrail } from '../audit/audit-log.ts'
import type { Client } from '../clients/client.ts'
import type { Clients } from '../clients/clients.ts'
import { isRegistered, withParameters } from '../oauth/redirect-uri.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { BrowserSessions, SignedInBrowser } from '../sessions/browser-sessions.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { IdTokenHint, IdTokens } from '../tokens/id-tokens.ts'

interface Dependencies {
  readonly browsers: BrowserSessions
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly audit: AuditTrail
  readonly idTokens: IdTokens
  readonly clients: Clients
}

/** A request to sign out: OpenID Connect RP-Initiated Logout 1.0 §2. */
export interface SignOutRequest {
  readonly idTokenHint?: string | undefined
  readonly clientId?: string | undefined
  readonly postLogoutRedirectUri?: string | undefined
  readonly state?: string | undefined
  /** The cookie of the browser. */
  readonly cookie: string | undefined
  /** The form of another site, which brings no cookie: the browser may be signed in all the same. */
  readonly isCrossSite?: boolean
  readonly ip: string
}

export type SignOutOutcome =
  /** `redirectTo` is absent when the person stays here. */
  | { readonly kind: 'signed-out'; readonly redirectTo: string | undefined }
  /** The person is asked first: nobody else may sign them out (ASVS 10.6.2). */
  | {
      readonly kind: 'ask'
      readonly client: Client | undefined
      /** The registered address to which the person returns afterwards. */
      readonly redirectTo: string | undefined
    }

/** Signing out: ends the browser session, and the sessions of clients that began from it. */
export class SignOut {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Signs out if an ID token shows that the client may ask for it; otherwise the person decides. A page
   * that the request may not lead to is never linked.
   */
  async requested(request: SignOutRequest): Promise<SignOutOutcome> {
    const { browsers, idTokens, clients } = this.#deps
    const hint = request.idTokenHint ? await idTokens.readHint(request.idTokenHint) : undefined
    const isConsistent = !hint || !request.clientId || request.clientId === hint.aud
    const clientId = isConsistent ? (hint?.aud ?? request.clientId) : undefined
    const client = clientId === undefined ? undefined : (await clients.find(clientId))?.client
    const browser = request.cookie ? await browsers.find(request.cookie) : undefined
    if (request.idTokenHint && (!hint || !isConsistent)) return ask(undefined, request)
    const isOwn = hint && (!browser || (await this.#isOfBrowser(hint, browser)))
    if (!isOwn) {
      if (browser || !client || request.isCrossSite) return ask(client, request)
      return { kind: 'signed-out', redirectTo: redirectOf(client, request) }
    }
    const redirectTo = client && redirectOf(client, request)
    // An address that is not registered leads nowhere, and the person is asked.
    if (request.postLogoutRedirectUri !== undefined && redirectTo === undefined) {
      return ask(client, request)
    }
    await this.#end(hint, browser?.session.id, request.ip)
    return { kind: 'signed-out', redirectTo }
  }

  /**
   * §2: a `sid` of another session makes a request suspect. A session that is forgotten is not held against
   * the person.
   */
  async #isOfBrowser({ sid, sub }: IdTokenHint, { session }: SignedInBrowser): Promise<boolean> {
    if (session.userId !== sub) return false
    const browserId = await this.#deps.families.browserOf(sid, sub)
    return browserId === undefined || browserId === session.id
  }

  /** The person has pressed the button on the page. */
  async confirmed(request: SignOutRequest): Promise<SignOutOutcome> {
    const { browsers, clients } = this.#deps
    const browser = request.cookie ? await browsers.find(request.cookie) : undefined
    if (browser) await this.#end(undefined, browser.session.id, request.ip)
    const client = request.clientId ? (await clients.find(request.clientId))?.client : undefined
    return { kind: 'signed-out', redirectTo: client && redirectOf(client, request) }
  }

  /** Ends the browser session, that of the ID token, and the session of the ID token itself. */
  async #end(
    hint: IdTokenHint | undefined,
    browserId: string | undefined,
    ip: string,
  ): Promise<void> {
    const { revocations, families, audit } = this.#deps
    await revocations.decide(async (change) => {
      const hinted = hint && (await families.browserOf(hint.sid, hint.sub, change.trx))
      const ids = new Set([browserId, hinted].filter((id) => id !== undefined))
      let sessions = 0
      let userId = hint?.sub
      for (const id of ids) {
        const ended = await families.endBrowsers(change, { id }, 'signed_out')
        sessions += ended.sids.length
        userId ??= ended.userId
      }
      if (hint) {
        const own = { sid: hint.sid, user_id: hint.sub }
        sessions += (await families.end(change, own, 'signed_out')).length
      }
      if (sessions === 0 && ids.size === 0) return
      const event = { event: 'user.signed_out', userId, clientId: hint?.aud, ip } as const
      await audit.record({ ...event, detail: { sessions } }, change.trx)
    })
  }
}

const ask = (client: Client | undefined, request: SignOutRequest): SignOutOutcome => ({
  kind: 'ask',
  client,
  redirectTo: client && redirectOf(client, request),
})

function redirectOf(client: Client, request: SignOutRequest): string | undefined {
  const { postLogoutRedirectUri: uri, state } = request
  if (uri === undefined || !isRegistered(uri, client.postLogoutRedirectUris)) return undefined
  return withParameters(uri, state === undefined ? {} : { state })
}
