import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { root } from '../../tools/root.ts'
import { openState, type PageState, pageStates, type Tour } from '../support/browser/pages.ts'
import { startTour } from '../support/browser/tour.ts'

/**
 * Every page as a screen reader has it: landmarks, headings, labels, buttons and links. `npm run structure`
 * writes the files anew; look at the difference before it is committed.
 */

const folder = join(root, 'test', 'browser', 'structure')

/** `sign-in.wrong-password.yml` */
const fileOf = ({ route, state }: PageState): string => {
  const name = route === '/' ? 'home' : route.slice(1).replaceAll('/', '.')
  return state === undefined ? `${name}.yml` : `${name}.${state.replaceAll(' ', '-')}.yml`
}

/** Names, times and secrets differ from run to run. */
function settled(text: string, { server, app }: Tour): string {
  const months = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec'
  return text
    .replaceAll(new URL(server.url).host, 'signet.example')
    .replaceAll(app.origin, 'https://app.example')
    .replaceAll(new URL(app.origin).host, 'app.example')
    .replace(/(\/url: [^?\n]*\?)\S.*$/gm, '$1…')
    .replace(
      new RegExp(`\\b(${months})[a-z]* \\d+, \\d{4}(, | at )?(\\d+:\\d+\\s[AP]M)?`, 'g'),
      '(time)',
    )
    .replace(/this minute|\d+ minutes? ago/g, '(age)')
    .replace(/\b[\da-f]{8}-[\da-f-]{27}\b/g, '(id)')
}

/** The navigation of the account is the same on all of its pages: one file has it. */
const navigation = /^(- navigation ".*"):\n(?: .*\n)+/m

async function structureOf(tour: Tour, { route }: PageState): Promise<string> {
  const { page } = tour
  const title = await page.title()
  const tree = await page.locator('body').ariaSnapshot()
  const text = settled(`# ${title}\n${tree}\n`, tour)
  return route === '/account' ? text : text.replace(navigation, '$1: …\n')
}

test('every page → the landmarks, headings, labels and ways on that are stored', async (t) => {
  const isWriting = process.env.STRUCTURE !== undefined
  const tour = await startTour(t, 'en')
  if (isWriting) await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  for (const state of pageStates) {
    await openState(tour, state)
    const file = join(folder, fileOf(state))
    const structure = await structureOf(tour, state)
    if (isWriting) await writeFile(file, structure)
    const stored = await readFile(file, 'utf8').catch(() => 'no file: run npm run structure')
    t.deepEqual(structure.split('\n'), stored.split('\n'), fileOf(state))
  }
  t.deepEqual((await readdir(folder)).sort(), pageStates.map(fileOf).sort(), 'a file for each page')
})
