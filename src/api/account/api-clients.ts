import { type Client, isPublic } from '../../clients/client.ts'
import type { Clients } from '../../clients/clients.ts'
import { narrowScope, offlineAccess } from '../../oauth/scope.ts'
import { accountScope, adminScope } from '../access-control.ts'
import { Problem } from '../problem.ts'

/** The client of apps that name none. It is created at the first start. */
export const accountClientId = 'account'

interface Dependencies {
  readonly clients: Clients
  readonly issuer: string
}

/** The clients that may sign people in at the JSON API. */
export class ApiClients {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Creates the default client, so that the API works from the first start, in production too. */
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
    // Its tokens are for this server, whose name may have changed.
    await clients.serve(accountClientId, audiences)
  }

  /**
   * Finds a public first-party client with the password grant. The JSON API does not authenticate
   * clients; a confidential client uses /oauth/token.
   * @throws Problem `forbidden`
   * @throws OAuthError `invalid_scope`
   */
  async forSignIn(id: string = accountClientId, scope: string | undefined) {
    const client = (await this.#deps.clients.find(id))?.client
    if (!client || !isAllowed(client)) {
      throw new Problem('forbidden', { detail: 'This client may not sign people in here.' })
    }
    return {
      client,
      scope: narrowScope(scope, client.scopes, client.defaultScopes),
      audience: client.audiences.slice(0, 1),
    }
  }

  /** The client of a session that is refreshed here; undefined unless it may be. */
  async forRefresh(id: string): Promise<Client | undefined> {
    const client = (await this.#deps.clients.find(id))?.client
    if (!client || !isAllowed(client)) return undefined
    return client.grantTypes.includes('refresh_token') ? client : undefined
  }
}

const isAllowed = (client: Client): boolean =>
  client.firstParty && isPublic(client) && client.grantTypes.includes('password')
