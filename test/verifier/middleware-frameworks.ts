import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Router from '@koa/router'
import express, { type ErrorRequestHandler } from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { signet as forExpress } from '../../src/verifier/express.ts'
import { signet as forFastify } from '../../src/verifier/fastify.ts'
import type { GuardOptions } from '../../src/verifier/guards.ts'
import { signet as forKoa } from '../../src/verifier/koa.ts'
import type { AccessTokenClaims, Verifier } from '../../src/verifier/verifier.ts'

// The declarations that docs/verifying.md recommends.
declare global {
  namespace Express {
    interface Request {
      user?: AccessTokenClaims
    }
  }
}
declare module 'fastify' {
  interface FastifyRequest {
    user?: AccessTokenClaims
  }
}

/** A small service; the same in each framework, so that one table of tests fits all. */
export interface Service {
  readonly url: string
  /** Errors that reached the framework's own error handler. */
  readonly errors: unknown[]
  close(): Promise<void>
}

type Start = (verifier: Pick<Verifier, 'verify'>, options?: GuardOptions) => Promise<Service>

/** Nothing is cast here: compiling it tests that the guards fit the frameworks' types. */
export const frameworks: Readonly<Record<string, Start>> = {
  async koa(verifier, options) {
    const { requireUser, optionalUser, requireScope, requireRole } = forKoa(verifier, options)
    const errors: unknown[] = []
    const app = new Koa<{ user?: AccessTokenClaims }>()
    const router = new Router<{ user?: AccessTokenClaims }>()
    const answer: Koa.Middleware<{ user?: AccessTokenClaims }> = (ctx) => {
      ctx.body = { sub: ctx.state.user?.sub ?? null }
    }
    router.get('/user', requireUser, answer)
    router.get('/optional', optionalUser, answer)
    router.get('/scope', requireScope('reports:read', 'reports:write'), answer)
    router.get('/role', requireRole('admin', 'auditor'), answer)
    router.get('/all', optionalUser, requireUser, requireScope('read'), requireRole('a'), answer)
    router.get('/throw', requireUser, () => {
      throw new Error('a mistake of the handler')
    })
    app.on('error', (error) => errors.push(error))
    app.use(router.routes())
    // The usual, untyped state fits as well.
    new Koa().use(requireUser)
    return listen(app.callback(), errors)
  },

  async express(verifier, options) {
    const { requireUser, optionalUser, requireScope, requireRole } = forExpress(verifier, options)
    const errors: unknown[] = []
    const app = express()
    const answer: express.RequestHandler = (req, res) => {
      res.json({ sub: req.user?.sub ?? null })
    }
    app.get('/user', requireUser, answer)
    app.get('/optional', optionalUser, answer)
    app.get('/scope', requireScope('reports:read', 'reports:write'), answer)
    app.get('/role', requireRole('admin', 'auditor'), answer)
    app.get('/all', optionalUser, requireUser, requireScope('read'), requireRole('a'), answer)
    app.get('/throw', requireUser, () => {
      throw new Error('a mistake of the handler')
    })
    const onError: ErrorRequestHandler = (error, _req, res, _next) => {
      errors.push(error)
      res.status(500).end()
    }
    app.use(onError)
    express.Router().use(requireUser)
    return listen(app, errors)
  },

  async fastify(verifier, options) {
    const { requireUser, optionalUser, requireScope, requireRole } = forFastify(verifier, options)
    const errors: unknown[] = []
    const app = fastify()
    const answer = async (request: { readonly user?: AccessTokenClaims }) => ({
      sub: request.user?.sub ?? null,
    })
    // A schema that would leave nothing of a refusal.
    const schema = { response: { '4xx': { type: 'object', properties: {} } } }
    app.get('/user', { onRequest: requireUser, schema }, answer)
    app.get('/optional', { preHandler: optionalUser }, answer)
    app.get('/scope', { onRequest: requireScope('reports:read', 'reports:write') }, answer)
    app.get('/role', { preValidation: requireRole('admin', 'auditor') }, answer)
    const all = [optionalUser, requireUser, requireScope('read'), requireRole('a')]
    app.get<{ Params: { id: string }; Reply: { sub: string } }>('/typed/:id', {
      onRequest: requireUser,
      handler: async ({ params, user }) => ({ sub: `${params.id} ${user?.sub}` }),
    })
    app.get('/all', { onRequest: all }, answer)
    app.get('/throw', { onRequest: requireUser }, () => {
      throw new Error('a mistake of the handler')
    })
    app.setErrorHandler((error, _request, reply) => {
      errors.push(error)
      return reply.code(500).send()
    })
    app.register(async (inner) => {
      inner.addHook('onRequest', requireUser)
      inner.get('/inner', answer)
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    return { url: `http://127.0.0.1:${port}`, errors, close: () => app.close() }
  },
}

async function listen(
  handler: Parameters<typeof createServer>[1],
  errors: unknown[],
): Promise<Service> {
  const http = createServer(handler as () => void)
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const close = async () => {
    http.closeAllConnections()
    http.close()
  }
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`, errors, close }
}
