/** The pages of an account and their paths below `/account`. Nothing else can be returned to. */
const paths = {
  overview: '',
  profile: '/profile',
  email: '/email',
  password: '/password',
  apps: '/apps',
  sessions: '/sessions',
  'api-keys': '/api-keys',
  'new-api-key': '/api-keys/new',
  activity: '/activity',
  data: '/data',
  delete: '/delete',
} as const

export type AccountPageName = keyof typeof paths

export const accountPath = (path: string, name: AccountPageName): string =>
  `${path}/account${paths[name]}`

/** The page of a name in a URL or a form; undefined for every other text. */
export const accountPageNamed = (name: string | null | undefined): AccountPageName | undefined =>
  name && Object.hasOwn(paths, name) ? (name as AccountPageName) : undefined
