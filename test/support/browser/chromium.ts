import test, { type ExecutionContext } from 'ava'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core'
import { debianProgram } from '../../../tools/debian-program.ts'

const flags =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking ' +
  '--disable-component-update --disable-sync --disable-dev-shm-usage'

/** A browser profile of one person, with a first tab. */
export interface Profile {
  readonly context: BrowserContext
  readonly page: Page
  /** From now on the browser may complain so; any other complaint fails the test. */
  expect(...complaints: readonly RegExp[]): void
  /** Checks before the end of the test; the profile is gone afterwards. */
  close(): Promise<void>
}

let launched: Promise<Browser> | undefined

// A start takes longer than most tests.
test.after.always('the browser ends', async () => {
  await (await launched)?.close()
})

function browser(): Promise<Browser> {
  launched ??= chromium.launch({
    executablePath: debianProgram('chromium'),
    args: flags.split(' '),
    timeout: 60_000,
  })
  return launched
}

/**
 * Opens a profile in the browser that the tests of a process share. Errors in the console, in scripts, in
 * requests and violations of the content security policy fail the test unless it expects them.
 */
export async function openProfile(
  t: ExecutionContext<unknown>,
  options: BrowserContextOptions = {},
): Promise<Profile> {
  const context = await (await browser()).newContext(options)
  // The machine may be busy.
  context.setDefaultTimeout(60_000)
  const expected: RegExp[] = []
  const complaints: string[] = []
  const complain = (text: string) => void complaints.push(text)
  context.on('console', (message) => {
    if (message.type() === 'error') complain(`console: ${message.text()}`)
  })
  context.on('weberror', (error) => complain(`script: ${error.error().message}`))
  context.on('requestfailed', (request) =>
    complain(`request: ${request.url()} ${request.failure()?.errorText}`),
  )
  let closed: Promise<void> | undefined
  const check = async () => {
    await context.close()
    const found = complaints.filter((text) => !expected.some((pattern) => pattern.test(text)))
    if (found.length > 0) throw new Error(`the browser complained:\n${found.join('\n')}`)
  }
  const close = () => {
    closed ??= check()
    return closed
  }
  t.teardown(close)
  return {
    context,
    page: await context.newPage(),
    expect: (...patterns) => void expected.push(...patterns),
    close,
  }
}
