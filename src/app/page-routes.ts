import type Router from '@koa/router'
import { authorization } from '../endpoints/authorization.ts'
import { endSession } from '../endpoints/end-session.ts'
import type { Middleware, RequestState } from '../http/context.ts'
import { accent, assets } from '../pages/assets.ts'
import { sendAnswer } from '../pages/client-answer.tsx'
import { consentPage } from '../pages/consent.tsx'
import { continuePage } from '../pages/continue.tsx'
import type { FlowPages } from '../pages/flow-page.ts'
import { languageChoice } from '../pages/language-choice.ts'
import { signInPage } from '../pages/sign-in.tsx'
import { signOutPages } from '../pages/sign-out.tsx'
import type { Runtime, Services } from './services.ts'

/** The pages of a sign-in, and the two endpoints that lead to them. */
export function mountPages(
  router: Router<RequestState>,
  { config: { issuer } }: Runtime,
  { flow, browserSignIn, signOut, clients, lifetimes }: Services,
  path: string,
): void {
  const pages: FlowPages = {
    flow,
    browserSignIn,
    path,
    origin: new URL(issuer).origin,
    sendAnswer: sendAnswer(path),
    sessionSeconds: lifetimes.sessionAbsoluteSeconds,
  }
  const both = (name: string, middleware: Middleware) => {
    router.get(`${path}${name}`, middleware)
    router.post(`${path}${name}`, middleware)
  }
  both('/oauth/authorize', authorization({ flow, clients, path, send: pages.sendAnswer }))
  both('/oauth/sign-out', endSession({ signOut, path }))
  router.use(languageChoice)
  const signIn = signInPage(pages)
  const consent = consentPage(pages)
  const leaving = signOutPages(pages, signOut)
  const mounted = {
    'sign-in': signIn,
    reauthenticate: signIn,
    consent,
    'sign-out': leaving,
  }
  for (const [name, page] of Object.entries(mounted)) {
    router.get(`${path}/${name}`, page.show)
    router.post(`${path}/${name}`, page.submit)
  }
  router.get(`${path}/continue`, continuePage(pages))
  router.get(`${path}/signed-out`, leaving.done)
  router.get(`${path}/assets/accent/:file`, accent)
  for (const [name, asset] of Object.entries(assets)) router.get(`${path}/assets/${name}`, asset)
}
