import { tokenExchangeGrant } from '../../../src/clients/client-settings.ts'
import type { NewClient } from '../../../src/clients/new-client.ts'
import { accessTokenType, apiKeyType } from '../../../src/grants/token-exchange.ts'
import type { Answer, Credentials, Form } from '../../../tools/http-client.ts'
import type { TestServer } from '../server/start-server.ts'

/** RFC 8693, as a service that was given an API key does it. */
export const exchange = {
  /** The settings of such a service. */
  client: (server: TestServer): Partial<NewClient> => ({
    grantTypes: [tokenExchangeGrant],
    scopes: ['account'],
    audiences: [server.app.issuer],
    introspects: ['*'],
  }),

  of: (server: TestServer, key: string, as: Credentials | null, form: Form = {}): Promise<Answer> =>
    server.token(
      {
        grant_type: tokenExchangeGrant,
        subject_token: key,
        subject_token_type: apiKeyType,
        ...form,
      },
      as,
    ),

  accessTokenType,
}
