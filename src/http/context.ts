import type { Middleware as KoaMiddleware, ParameterizedContext } from 'koa'
import type { Client } from '../clients/client.ts'
import type { Params } from '../oauth/params.ts'
import type { Log } from '../telemetry/log.ts'

/** What the doors on the way have found out about a request. Each member names the door that sets it. */
export interface RequestState {
  /** request-log */
  requestId: string
  /** request-log: the caller, seen through trusted proxies only. */
  ip: string
  /** request-log: writes with the request's id. */
  log: Log
  /** request-log: more for the one line that the request gets in the log. */
  facts: Record<string, unknown>
  /** form */
  params: Params
  /** client-authentication */
  client: Client
}

export type Context = ParameterizedContext<RequestState>
export type Middleware = KoaMiddleware<RequestState>
