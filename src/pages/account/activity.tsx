import type { AuditLog, RecordedEvent } from '../../audit/audit-log.ts'
import type { Middleware } from '../../http/context.ts'
import { sendPage } from '../document.ts'
import type { AccountMessages } from '../languages/account-en.ts'
import { accountPath } from './account-page-names.ts'
import { type AccountPages, clientsOf, shown } from './account-pages.ts'
import { AccountLayout, Section, timeText } from './elements.tsx'

interface Dependencies extends AccountPages {
  readonly audit: AuditLog
}

const perPage = 25

/** The security events of a person (ASVS 16.2), a page at a time by the id of the last one. */
export function activityPage(pages: Dependencies): { show: Middleware } {
  return {
    show: shown(pages, 'activity', async (ctx, visit) => {
      const { texts, user, language } = visit
      const before = eventId(new URLSearchParams(ctx.querystring).get('before'))
      const found = await pages.audit.page({ userId: user.id }, perPage + 1, before)
      const events = found.slice(0, perPage)
      const last = found.length > perPage ? events.at(-1)?.id : undefined
      const clients = await clientsOf(
        pages,
        events.flatMap((event) => event.client_id ?? []),
      )
      const path = accountPath(pages.path, 'activity')
      sendPage(
        ctx,
        200,
        <AccountLayout
          pages={pages}
          visit={visit}
          name="activity"
          title={texts.activity}
          lead={texts.activityLead}
        >
          <Section>
            {events.length === 0 ? (
              <p>{texts.noActivity}</p>
            ) : (
              <table>
                <thead>
                  <tr>
                    {[texts.what, texts.when, texts.address].map((heading) => (
                      <th key={heading} scope="col">
                        {heading}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {events.map((event) => (
                    <tr key={event.id}>
                      <td>
                        {eventText(event, texts)}
                        {event.client_id && (
                          <small>
                            <bdi>{clients.get(event.client_id)?.name ?? event.client_id}</bdi>
                          </small>
                        )}
                      </td>
                      <td>
                        <time datetime={event.at.toISOString()}>
                          {timeText(language, event.at)}
                        </time>
                      </td>
                      <td>
                        <bdi>{event.ip ?? '–'}</bdi>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )}
            <p class="between">
              {before && <a href={path}>{texts.newest}</a>}
              {last && (
                <a href={`${path}?before=${last}`} rel="next">
                  {texts.older}
                </a>
              )}
            </p>
          </Section>
          <Section title={texts.notYou}>
            <p>{texts.notYouLead}</p>
            <p class="between">
              <a href={accountPath(pages.path, 'password')}>{texts.changePassword}</a>
              <a href={accountPath(pages.path, 'sessions')}>{texts.sessions}</a>
            </p>
          </Section>
        </AccountLayout>,
      )
    }),
  }
}

/** The number of an event; anything else shows the first page. */
const eventId = (text: string | null): string | undefined =>
  text !== null && /^\d{1,18}$/.test(text) ? text : undefined

function eventText({ event }: RecordedEvent, texts: AccountMessages): string {
  const known: Readonly<Record<string, string>> = texts.events
  return Object.hasOwn(known, event) ? (known[event] ?? event) : texts.otherEvent(event)
}
