import type Router from '@koa/router'
import { authorization } from '../endpoints/authorization.ts'
import { endSession } from '../endpoints/end-session.ts'
import type { Middleware, RequestState } from '../http/context.ts'
import { accent, assets, clientLogo, serveThemeFile } from '../pages/assets.ts'
import { chooseAccountPage } from '../pages/choose-account.tsx'
import { sendAnswer } from '../pages/client-answer.tsx'
import { consentPage } from '../pages/consent.tsx'
import { continuePage } from '../pages/continue.tsx'
import { type FlowPages, redirect } from '../pages/flow-page.ts'
import { forgotPasswordPage } from '../pages/forgot-password.tsx'
import { homePage } from '../pages/home.tsx'
import { languageChoice } from '../pages/language-choice.ts'
import { newPasswordPage } from '../pages/new-password.tsx'
import { registerPage } from '../pages/register.tsx'
import { resetPasswordPage } from '../pages/reset-password.tsx'
import { secureAccountPage } from '../pages/secure-account.tsx'
import { signInPage } from '../pages/sign-in.tsx'
import { signOutPages } from '../pages/sign-out.tsx'
import { builtInTheme, themed } from '../pages/theme/theme.ts'
import { verifyEmailPage } from '../pages/verify-email.tsx'
import type { PageRuntime, PageServices } from './page-services.ts'

/** The pages of a sign-in, and the two endpoints that lead to them. */
export function mountPages(
  router: Router<RequestState>,
  runtime: PageRuntime,
  services: PageServices,
  path: string,
): void {
  const { flow, signOut, clients } = services
  const { theme = builtInTheme } = runtime
  const pages = flowPagesOf(runtime, services, path)
  const both = (name: string, middleware: Middleware) => {
    router.get(`${path}${name}`, middleware)
    router.post(`${path}${name}`, middleware)
  }
  router.use(themed(theme))
  both('/oauth/authorize', authorization({ flow, clients, path, send: pages.sendAnswer }))
  both('/oauth/sign-out', endSession({ signOut, path }))
  router.use(languageChoice)
  const signIn = signInPage(pages)
  const leaving = signOutPages(pages, signOut)
  const mounted = {
    'sign-in': signIn,
    reauthenticate: signIn,
    register: registerPage(pages),
    'choose-account': chooseAccountPage(pages),
    'new-password': newPasswordPage(pages),
    'verify-email': verifyEmailPage(pages),
    'forgot-password': forgotPasswordPage(pages),
    'reset-password': resetPasswordPage(pages),
    'secure-account': secureAccountPage(pages, services.disownedSignIns),
    consent: consentPage(pages),
    'sign-out': leaving,
  }
  for (const [name, page] of Object.entries(mounted)) {
    router.get(`${path}/${name}`, page.show)
    router.post(`${path}/${name}`, page.submit)
  }
  router.get(`${path}/continue`, continuePage(pages))
  router.get(`${path}/signed-out`, leaving.done)
  router.get(`${path}/`, homePage(pages))
  // Where password managers send people; the specification puts it at the root of the host.
  router.get('/.well-known/change-password', (ctx) => redirect(ctx, `${path}/account/password`))
  router.get(`${path}/assets/accent/:file`, accent)
  router.get(`${path}/assets/clients/:file`, clientLogo(theme))
  const themeFiles = [...theme.files].map(([name, file]) => [name, serveThemeFile(file)] as const)
  const files = { ...assets, ...Object.fromEntries(themeFiles) }
  for (const [name, file] of Object.entries(files)) router.get(`${path}/assets/${name}`, file)
}

function flowPagesOf(
  { config: { issuer, REGISTRATION } }: PageRuntime,
  services: PageServices,
  path: string,
): FlowPages {
  return {
    flow: services.flow,
    browserSignIn: services.browserSignIn,
    apps: services.apps,
    credentials: services.credentials,
    emailAddresses: services.emailAddresses,
    registration: services.registration,
    throttle: services.throttle,
    guesses: services.guesses,
    isRegistrationOpen: REGISTRATION === 'open',
    issuer,
    path,
    origin: new URL(issuer).origin,
    sendAnswer: sendAnswer(path),
    sessionSeconds: services.lifetimes.sessionAbsoluteSeconds,
  }
}
