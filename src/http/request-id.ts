import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** The ids of nginx, Envoy, HAProxy and Traefik have this form; nothing in it needs quoting anywhere. */
const wellFormed = /^[\w.:-]{1,128}$/

/**
 * Returns the id of a request: the one that a trusted proxy gave it, so that both logs have the same, or a
 * new one. A stranger must not choose it, because operators search for it. A repeated header has a comma
 * (RFC 9110 §5.3), and is not well-formed.
 */
export const requestIdOf =
  (isFromProxy: (request: IncomingMessage) => boolean) =>
  (request: IncomingMessage): string => {
    const given = request.headers['x-request-id']
    if (typeof given === 'string' && wellFormed.test(given) && isFromProxy(request)) return given
    return randomUUID()
  }
