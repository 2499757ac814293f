import type { Middleware as KoaMiddleware, ParameterizedContext } from 'koa'
import type { Client } from '../clients/client.ts'
import type { Params } from '../oauth/params.ts'
import type { Log } from '../telemetry/log.ts'

/** Members of a request's log line. They are listed by name, so that no secret gets there by accident. */
export interface RequestFacts {
  clientId?: string
  userId?: string
  /** The session that a refused token names. */
  sid?: string
  grant?: string
  /** The error code or problem type of the answer. */
  error?: string | undefined
  /** The cause of an error, a code where there is one; the caller does not see it. */
  cause?: unknown
  /** A hint for the operator. */
  advice?: string
  /** The limit that the request exceeded. */
  policy?: string
}

/** The state that the middleware adds to a request. Each member names the file that sets it. */
export interface RequestState {
  /** request-log */
  requestId: string
  /** request-log: the caller, seen through trusted proxies only. */
  ip: string
  /** request-log: adds the request's id to each line. */
  readonly log: Log
  /** request-log */
  readonly facts: RequestFacts
  /** client-authentication: the client has proven itself by a secret or a key */
  isProven?: boolean
  /** error-boundary: the sentence of the answer */
  sentence?: string
  /** error-boundary: why the database did not answer */
  outage?: unknown
  /** request-body */
  params: Params
  /** client-authentication; on pages, the client that the person came from */
  client: Client
  /** pages, and the authorization endpoint: the languages of an error page, most preferred first */
  uiLocales?: readonly string[]
  /** pages: the authorization request with which an error page can go on */
  sealedRequest?: string
}

export type Context = ParameterizedContext<RequestState>
export type Middleware = KoaMiddleware<RequestState>
