import type { Middleware } from '../http/context.ts'
import { withParameters } from '../oauth/redirect-uri.ts'
import { adminRole } from '../users/user.ts'
import { clientName } from './client-name.ts'
import { sendPage } from './document.ts'
import { Icon } from './elements/icons.tsx'
import { Layout } from './elements/layout.tsx'
import { Person } from './elements/person.tsx'
import { type FlowPages, visitOf } from './flow-page.ts'
import type { Messages } from './languages/en.ts'

/** Says where one is, and what to do next. */
export function homePage(pages: FlowPages): Middleware {
  const { path, flow, apps, issuer, isRegistrationOpen } = pages
  return async (ctx) => {
    const { browser, language } = await visitOf(pages, ctx, undefined)
    const { messages } = language
    const user = browser && (await flow.userOf(browser))
    const isNew = !(await apps.hasAny())
    const host = new URL(issuer).host
    if (!user) {
      const page = (
        <Layout language={language} path={path} title={host} lead={messages.homeSignedOut}>
          <a class="button" href={`${path}/sign-in`}>
            {messages.signIn}
          </a>
          {isRegistrationOpen && (
            <a class="button secondary" href={`${path}/register`}>
              {messages.createAccount}
            </a>
          )}
          {isNew && <FirstSteps messages={messages} path={path} isSignedIn={false} />}
        </Layout>
      )
      return sendPage(ctx, 200, page)
    }
    const launchable = await apps.launchable()
    const name = user.fullName ?? user.email ?? user.username ?? ''
    const detail = user.fullName ? (user.email ?? user.username ?? undefined) : undefined
    const page = (
      <Layout language={language} path={path} title={messages.homeWelcome} lead={host}>
        <Person name={name} {...(detail !== undefined && { detail })} />
        {launchable.length > 0 && (
          <>
            <h2>{messages.homeApps}</h2>
            <ul class="items apps">
              {launchable.map(({ id, name: app, initiateLoginUri }) => (
                <li key={id}>
                  <a href={withParameters(initiateLoginUri, { iss: issuer })}>
                    <Icon name="app" />
                    <bdi>{clientName({ id, name: app })}</bdi>
                  </a>
                </li>
              ))}
            </ul>
          </>
        )}
        <a class="button" href={`${path}/account`}>
          {messages.toAccount}
        </a>
        <a class="button secondary" href={`${path}/sign-out`}>
          {messages.signOut}
        </a>
        {isNew && user.roles.includes(adminRole) && (
          <FirstSteps messages={messages} path={path} isSignedIn />
        )}
      </Layout>
    )
    sendPage(ctx, 200, page)
  }
}

interface FirstStepsProps {
  readonly messages: Messages
  readonly path: string
  readonly isSignedIn: boolean
}

const command =
  'npx signet clients create web --grant authorization_code --scope openid,profile,email --redirect-uri http://localhost:8080/callback --audience http://localhost:8080'

/** For an installation without an app. */
function FirstSteps({ messages, path, isSignedIn }: FirstStepsProps) {
  return (
    <section class="after start">
      <h2>{messages.startTitle}</h2>
      <ol>
        {!isSignedIn && <li>{messages.startSignIn}</li>}
        <li>
          {messages.startClient}
          <code dir="ltr">{command}</code>
        </li>
        <li>
          {messages.startDocs} <a href={`${path}/docs`}>{messages.apiReference}</a>
        </li>
      </ol>
    </section>
  )
}
