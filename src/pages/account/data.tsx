import { Readable } from 'node:stream'
import { exportDocument } from '../../api/account/profile.ts'
import type { Middleware } from '../../http/context.ts'
import type { Throttle } from '../../throttle/throttle.ts'
import type { PersonalData } from '../../users/personal-data.ts'
import { sendPage } from '../document.ts'
import { Form } from '../elements/form.tsx'
import { accountPath } from './account-page-names.ts'
import { type AccountPages, shown, submitted } from './account-pages.ts'
import { AccountLayout, Section } from './elements.tsx'

interface Dependencies extends AccountPages {
  readonly personalData: PersonalData
  readonly throttle: Throttle
}

/** The data of a person: a download, and the way to delete them. */
export function dataPage(pages: Dependencies): { show: Middleware; submit: Middleware } {
  const { personalData, throttle } = pages
  return {
    show: shown(pages, 'data', (ctx, visit) => {
      const { texts } = visit
      sendPage(
        ctx,
        200,
        <AccountLayout
          pages={pages}
          visit={visit}
          name="data"
          title={texts.data}
          lead={texts.dataLead}
        >
          <Section title={texts.exportTitle}>
            <p>{texts.exportLead}</p>
            <Form action={accountPath(pages.path, 'data')}>
              <button type="submit">{texts.exportButton}</button>
            </Form>
          </Section>
          <Section title={texts.deleteTitle}>
            <p>{texts.deleteLead}</p>
            <a class="button secondary" href={accountPath(pages.path, 'delete')}>
              {texts.deleteLink}
            </a>
          </Section>
        </AccountLayout>,
      )
    }),
    submit: submitted(pages, 'data', async (ctx, { user }) => {
      await throttle.attempt('personalDataExport', { person: user.id })
      const { person, lists } = await personalData.export(user.id, ctx.state.ip)
      ctx.status = 200
      ctx.set('content-disposition', 'attachment; filename="signet-export.json"')
      ctx.type = 'application/json; charset=utf-8'
      ctx.body = Readable.from(exportDocument(person, lists))
    }),
  }
}
