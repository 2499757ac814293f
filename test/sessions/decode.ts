import type { RefreshTokenContent } from '../../src/sessions/refresh-token.ts'
import type { TestServer } from '../support/server/start-server.ts'

/** The content of a refresh token of this server. */
export const decode = ({ services }: TestServer, token: string): RefreshTokenContent | undefined =>
  services.codec.decode(token)
