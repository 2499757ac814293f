import { Problem } from '../../api/problem.ts'
import type { Client } from '../../clients/client.ts'
import type { Context, Middleware } from '../../http/context.ts'
import type { Revocations } from '../../revocations/revocations.ts'
import type { BrowserSessions, ListedBrowserSession } from '../../sessions/browser-sessions.ts'
import type { RefreshFamilies } from '../../sessions/refresh-families.ts'
import type { ListedSession } from '../../sessions/session.ts'
import type { UserSessions } from '../../users/user-sessions.ts'
import { sendPage } from '../document.ts'
import { Form } from '../elements/form.tsx'
import type { AccountMessages } from '../languages/account-en.ts'
import { accountPath } from './account-page-names.ts'
import {
  type AccountPages,
  type AccountVisit,
  clientsOf,
  done,
  isId,
  noticeOf,
  shown,
  submitted,
} from './account-pages.ts'
import {
  AccountLayout,
  agoText,
  dateText,
  deviceName,
  Row,
  RowButton,
  Section,
} from './elements.tsx'

interface Dependencies extends AccountPages {
  readonly browsers: BrowserSessions
  readonly families: RefreshFamilies
  readonly userSessions: UserSessions
  readonly revocations: Revocations
}

interface SessionsPage {
  readonly show: Middleware
  readonly submit: Middleware
  readonly endOthers: Middleware
}

/** More than a person reads; all of them can be ended together. */
const mostShown = 50

/** Where a person is signed in: browsers, and apps with sessions of their own (ASVS 7.4.5). */
export function sessionsPage(pages: Dependencies): SessionsPage {
  return {
    show: shown(pages, 'sessions', (ctx, visit) => show(pages, ctx, visit)),
    submit: submitted(pages, 'sessions', async (ctx, { user, browser }, fields) => {
      const { ip } = ctx.state
      if (isId(fields.browser) && fields.browser !== browser.session.id) {
        await endBrowser(pages, user.id, fields.browser, ip)
      } else if (isId(fields.session)) {
        await endSession(pages, user.id, fields.session, ip)
      } else throw new Problem('not-found')
      done(pages, ctx, 'sessions', 'ended')
    }),
    endOthers: submitted(pages, 'sessions', async (ctx, { user, browser }) => {
      await pages.userSessions.endOthers(user.id, browser.session.id, ctx.state.ip)
      done(pages, ctx, 'sessions', 'ended')
    }),
  }
}

/** @throws Problem `not-found` unless it is the person's; one that has ended is as it should be */
async function endBrowser(pages: Dependencies, userId: string, id: string, ip: string) {
  const { userSessions, browsers } = pages
  if (await userSessions.endBrowser(userId, id, ip)) return
  if (!(await browsers.hasEnded(userId, id))) throw new Problem('not-found')
}

/** @throws Problem `not-found` unless it is the person's; the log knows of those that have ended lately */
async function endSession(pages: Dependencies, userId: string, sid: string, ip: string) {
  const { userSessions, revocations } = pages
  if (await userSessions.end(userId, sid, ip)) return
  if (await revocations.isRevokedAny([{ kind: 'sid', value: sid }])) return
  throw new Problem('not-found')
}

async function show(pages: Dependencies, ctx: Context, visit: AccountVisit): Promise<void> {
  const { texts, user, browser } = visit
  const [browsers, sessions] = await Promise.all([
    pages.browsers.list(user.id),
    pages.families.list(user.id),
  ])
  // This browser comes first, so that nobody looks for it.
  browsers.sort((one, other) => Number(isOwn(visit, other)) - Number(isOwn(visit, one)))
  const shownSessions = sessions.slice(0, mostShown)
  const clients = await clientsOf(
    pages,
    shownSessions.map(({ clientId }) => clientId),
  )
  const action = accountPath(pages.path, 'sessions')
  const hasOthers = browsers.length > 1 || sessions.length > 0
  sendPage(
    ctx,
    200,
    <AccountLayout
      pages={pages}
      visit={visit}
      name="sessions"
      title={texts.sessions}
      lead={texts.sessionsLead}
      notice={noticeOf(ctx, { ended: texts.sessionEnded })}
    >
      <Section title={texts.browsers}>
        <ul class="rows">
          {browsers.slice(0, mostShown).map((one) => (
            <Browser
              key={one.id}
              pages={pages}
              visit={visit}
              session={one}
              isOwn={one.id === browser.session.id}
            />
          ))}
        </ul>
        {browsers.length > mostShown && <p>{texts.more(browsers.length - mostShown)}</p>}
      </Section>
      <Section title={texts.appSessions}>
        {sessions.length === 0 ? (
          <p>{texts.noAppSessions}</p>
        ) : (
          <ul class="rows">
            {shownSessions.map((one) => (
              <AppSession
                key={one.sid}
                pages={pages}
                visit={visit}
                session={one}
                client={clients.get(one.clientId)}
              />
            ))}
          </ul>
        )}
        {sessions.length > mostShown && <p>{texts.more(sessions.length - mostShown)}</p>}
      </Section>
      {hasOthers && (
        <Section title={texts.endOthers}>
          <p>{texts.endOthersLead}</p>
          <Form action={`${action}/others`}>
            <button type="submit" class="secondary">
              {texts.endOthers}
            </button>
          </Form>
        </Section>
      )}
    </AccountLayout>,
  )
}

const isOwn = ({ browser }: AccountVisit, { id }: ListedBrowserSession): boolean =>
  id === browser.session.id

interface EntryProps<Session> {
  readonly pages: Dependencies
  readonly visit: AccountVisit
  readonly session: Session
}

/** Isolated: between Arabic words the parts of an IPv6 address would change places. */
function Address({ ip, texts }: { readonly ip: string | null; readonly texts: AccountMessages }) {
  return <bdi>{ip ?? texts.unknownAddress}</bdi>
}

function Browser({
  pages,
  visit: { texts, language },
  session,
  isOwn,
}: EntryProps<ListedBrowserSession> & { readonly isOwn: boolean }) {
  const name = deviceName(session.userAgent, texts)
  return (
    <Row
      // A sentence of this language, although it may begin with a name in Latin letters.
      name={<span dir={language.direction}>{name}</span>}
      mark={isOwn && texts.thisBrowser}
      lines={[
        <Address key="address" ip={session.ip} texts={texts} />,
        texts.lastUsed(agoText(language, session.lastUsedAt, pages.now())),
        texts.signedInOn(dateText(language, session.createdAt)),
      ]}
    >
      {isOwn ? (
        <a class="button secondary small" href={`${pages.path}/sign-out`}>
          {language.messages.signOut}
        </a>
      ) : (
        <RowButton
          action={accountPath(pages.path, 'sessions')}
          hidden={{ browser: session.id }}
          label={texts.endSession}
          of={name}
        />
      )}
    </Row>
  )
}

function AppSession({
  pages,
  visit: { texts, language },
  session,
  client,
}: EntryProps<ListedSession> & { readonly client: Client | undefined }) {
  const name = client?.name ?? session.clientId
  return (
    <Row
      name={name}
      lines={[
        <>
          {deviceName(session.userAgent, texts)} · <Address ip={session.ip} texts={texts} />
        </>,
        texts.lastUsed(agoText(language, session.lastUsedAt, pages.now())),
        texts.signedInOn(dateText(language, session.authTime)),
      ]}
    >
      <RowButton
        action={accountPath(pages.path, 'sessions')}
        hidden={{ session: session.sid }}
        label={texts.endSession}
        of={name}
      />
    </Row>
  )
}
