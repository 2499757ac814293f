import { type Client, isPublic } from '../../clients/client.ts'
import type { Clients } from '../../clients/clients.ts'
import { narrowScope, offlineAccess } from '../../oauth/scope.ts'
import { accountScope, adminScope } from '../access-control.ts'
import { Problem } from '../problem.ts'

/** The client of apps that name none: made at the first start. */
export const accountClientId = 'account'

interface Dependencies {
  readonly clients: Clients
  readonly issuer: string
}

/** Which application a call of the JSON API comes from, and what its tokens may do. */
export class ApiClients {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** So that the API works from the first start, in production too. */
  async ensureOwn(): Promise<void> {
    const { clients, issuer } = this.#deps
    const audiences = [issuer]
    await clients.createIfMissing({
      id: accountClientId,
      name: 'Account API',
      authenticationMethod: 'none',
      firstParty: true,
      grantTypes: ['password', 'refresh_token'],
      scopes: [accountScope, adminScope, offlineAccess],
      defaultScopes: [accountScope, offlineAccess],
      audiences,
      refreshTokens: 'always',
    })
    // Its tokens are for this server, whatever it is called by now.
    await clients.serve(accountClientId, audiences)
  }

  /**
   * A public first-party client that may exchange passwords; the JSON API has no place for a client's
   * secret, and a confidential one has /oauth/token.
   * @throws Problem
   * @throws OAuthError `invalid_scope`
   */
  async forSignIn(id: string = accountClientId, scope: string | undefined) {
    const known = await this.#deps.clients.find(id)
    if (!known || !isAllowed(known.client)) {
      throw new Problem('forbidden', { detail: 'this client may not sign people in here' })
    }
    const { client } = known
    return {
      client,
      scope: narrowScope(scope, client.scopes, client.defaultScopes),
      audience: client.audiences.slice(0, 1),
    }
  }

  /** The client of a session that is refreshed here. */
  async named(id: string): Promise<Client | undefined> {
    const known = await this.#deps.clients.find(id)
    if (!known || !isAllowed(known.client)) return undefined
    return known.client.grantTypes.includes('refresh_token') ? known.client : undefined
  }
}

const isAllowed = (client: Client): boolean =>
  client.firstParty && isPublic(client) && client.grantTypes.includes('password')
