import type { Middleware as KoaMiddleware, ParameterizedContext } from 'koa'
import type { Client } from '../clients/client.ts'
import type { Params } from '../oauth/params.ts'
import type { Log } from '../telemetry/log.ts'

/** More for the one line that a request gets in the log. Named, so that no secret gets there by mistake. */
export interface RequestFacts {
  clientId?: string
  userId?: string
  grant?: string
  /** What the caller was told. */
  error?: string | undefined
  /** What the caller was not told. */
  cause?: unknown
  /** What an operator can do about it. */
  advice?: string
  /** The limit that the request went over. */
  policy?: string
}

/** What the doors on the way have found out about a request. Each member names the door that sets it. */
export interface RequestState {
  /** request-log */
  requestId: string
  /** request-log: the caller, seen through trusted proxies only. */
  ip: string
  /** request-log: writes with the request's id. */
  readonly log: Log
  /** request-log */
  readonly facts: RequestFacts
  /** form */
  params: Params
  /** client-authentication */
  client: Client
}

export type Context = ParameterizedContext<RequestState>
export type Middleware = KoaMiddleware<RequestState>
