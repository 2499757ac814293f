import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../../tools/root.ts'
import { type Plan, titleOf } from './module.ts'
import { plans } from './plans.ts'

export const pageFile = join(root, 'docs', 'conformance.md')
export const planFile = join(root, 'docs', 'conformance', 'plan.json')

const introduction = `# OpenID Connect conformance

Signet aims at five profiles of the OpenID Foundation. Each module of their test plans (suite 5.2.4) is a test of
the same name in \`test/conformance/\`: it sends what the suite sends, over HTTP, through the pages and without
JavaScript, and checks the common conditions of every module (signature, claims, keys, userinfo, characters).

\`npm run conformance\` runs them and renews this page. The results are those of these tests, as the suite would
count them; they are no certification. A module that the suite would count as skipped or as a
warning is tested all the same; the remark says why it is not a plain success there.

The hosted suite runs with [conformance/plan.json](conformance/plan.json), whose scripted browser signs in and
allows: replace \`op.example\` by the host of your server, register its three clients as the file says with
\`require_pkce\` off, and set a name and a verified address for the person.
`

const rowOf = ({ name, remark }: Plan['modules'][number]): string =>
  `| \`${name}\` | ${remark?.result ?? 'passed'} | ${remark?.why ?? ''} |`.replace('|  |', '| |')

/** The page with the results of a run in which no test failed. */
export const conformancePage = (): string =>
  `${[
    introduction,
    ...plans.map(
      ({ profile, plan, modules }) => `## ${profile}

Plan \`${plan}\`.

| module | result | remark |
|---|---|---|
${modules.map(rowOf).join('\n')}
`,
    ),
  ].join('\n')}`

/** The modules that a report of ava names as failed. */
export const failedModules = (report: string): string[] =>
  plans
    .flatMap(({ modules }) => modules)
    .filter((module) =>
      report.split('\n').some((line) => /✘/.test(line) && line.includes(titleOf(module))),
    )
    .map(({ name }) => name)

export async function writePages(): Promise<void> {
  await writeFile(pageFile, conformancePage())
  await writeFile(planFile, planDocument())
}

const host = 'https://op.example'
const press = (value: string) => ['click', 'css', `button[value=${value}]`]

/** The commands of the suite's scripted browser: text fields by name, then a button. */
const signIn = (commands: readonly unknown[] = []) => ({
  task: 'Sign in',
  optional: true,
  match: `${host}/*sign-in*`,
  commands: [...commands, ...credentials],
})

const credentials = [
  ['text', 'name', 'username', 'the name of a person', 'optional'],
  ['text', 'name', 'password', 'their password', 'optional'],
  ['click', 'css', 'main form button[type=submit]:not([value])'],
]

const consent = {
  task: 'Allow',
  optional: true,
  match: `${host}/consent*`,
  commands: [press('allow')],
}

const callback = {
  task: 'Verify complete',
  match: '*/test/*/callback*',
  commands: [['wait', 'id', 'submission_complete', 10]],
}

const authorize = (commands: readonly unknown[] = []) => ({
  match: `${host}/oauth/authorize*`,
  tasks: [
    signIn(commands),
    { ...signIn(commands), task: 'Sign in again', match: `${host}/reauthenticate*` },
    consent,
    callback,
  ],
})

/** Waits for a text, and hands the page in as evidence. */
const shows = (text: string, evidence = 'update-image-placeholder') => [
  'wait',
  'xpath',
  '//*',
  10,
  text,
  evidence,
]

const signedInAgain = {
  browser: [authorize([shows('Password', 'update-image-placeholder-optional')])],
}

const errorPage = {
  browser: [
    {
      match: `${host}/oauth/authorize*`,
      tasks: [
        {
          task: 'Expect an error page',
          match: `${host}/oauth/authorize*`,
          commands: [shows('not registered')],
        },
      ],
    },
  ],
}

const signOutPage = (after: readonly unknown[]) => ({
  browser: [
    authorize(),
    {
      match: `${host}/oauth/sign-out*`,
      tasks: [{ task: 'Sign out', match: `${host}/sign-out*`, commands: after }],
    },
  ],
})

const pressed = [['click', 'css', 'main form button[type=submit]'], shows('You are signed out')]

const overrides = {
  'oidcc-prompt-login': signedInAgain,
  'oidcc-max-age-1': signedInAgain,
  'oidcc-ensure-registered-redirect-uri': errorPage,
  ...Object.fromEntries(
    [
      'bad-post-logout-redirect-uri',
      'query-added-to-post-logout-redirect-uri',
      'modified-id-token-hint',
      'bad-id-token-hint',
      'no-id-token-hint',
    ].map((name) => [`oidcc-rp-initiated-logout-${name}`, signOutPage([shows('Sign out')])]),
  ),
  'oidcc-rp-initiated-logout-no-params': signOutPage(pressed),
  'oidcc-rp-initiated-logout-only-state': signOutPage(pressed),
  'oidcc-rp-initiated-logout-no-post-logout-redirect-uri': {
    browser: [
      authorize(),
      {
        match: `${host}/oauth/sign-out*`,
        tasks: [
          {
            task: 'Signed out',
            match: `${host}/signed-out*`,
            commands: [shows('You are signed out')],
          },
        ],
      },
    ],
  },
}

/** The configuration of a plan of the hosted suite. */
export const planDocument = (): string =>
  `${JSON.stringify(
    {
      alias: 'signet',
      description: 'Signet',
      server: {
        discoveryUrl: `${host}/.well-known/openid-configuration`,
        login_hint: 'the address of a person',
        acr_values: 'urn:signet:acr:one',
      },
      client: { client_id: 'first', client_secret: 'the secret of first' },
      client_secret_post: { client_id: 'post', client_secret: 'the secret of post' },
      client2: { client_id: 'second', client_secret: 'the secret of second' },
      browser: [
        authorize(),
        {
          match: `${host}/oauth/sign-out*`,
          tasks: [{ task: 'Return to the client', match: '*/test/*/post_logout_redirect*' }],
        },
      ],
      override: overrides,
    },
    null,
    2,
  )}\n`
