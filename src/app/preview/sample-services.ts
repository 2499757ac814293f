import type { FlowPage } from '../../authentication/next.ts'
import type { Flow } from '../../grants/browser-flow.ts'
import { Reservation } from '../../throttle/reservation.ts'
import type { PageServices } from '../page-services.ts'
import { createSamples, sampleRequest } from './samples.ts'

/** The methods of a service that the pages call when they are only shown. */
type Sample<Service> = { readonly [Member in keyof Service]?: Service[Member] }
type Samples = { readonly [Name in keyof PageServices]: Sample<PageServices[Name]> }

/** The value in a URL or form of the preview that stands for a good token. */
export const goodToken = 'sample'

/**
 * Services that answer with samples, without a database. Requests are not sealed: the text of one is the page
 * that its sign-in has reached. Somebody is signed in if there is a cookie.
 */
export function sampleServices(now: Date): PageServices {
  const { user, browser, browsers, shop, account, ...samples } = createSamples(now)
  const found = async (id: string) => {
    const client = [shop, account].find((one) => one.id === id)
    return client && { client, secrets: [] }
  }
  const flow: Samples['flow'] = {
    open: async (sealed) => (sealed ? { request: sampleRequest, client: shop, sealed } : undefined),
    stepOf: async (opened) => ({ kind: 'page', page: (opened as Flow).sealed as FlowPage }),
    browserOf: async (cookie) => (cookie === undefined ? undefined : browser),
    userOf: async () => user,
    isHinted: async () => true,
    consentedScopes: async () => ['openid'],
  }
  const browserSignIn: Samples['browserSignIn'] = {
    newAttempt: async () => goodToken,
    withPassword: async () => ({ kind: 'wrong' }),
    personOwing: async () => user,
    waitingOf: async (sealed) =>
      sealed ? { userId: user.id, email: user.email ?? '' } : undefined,
  }
  const services: Samples = {
    flow,
    browserSignIn,
    clients: { find: found as never },
    apps: { hasAny: async () => true, launchable: async () => [launchable] },
    credentials: {
      personOfReset: async (token) => (token === goodToken ? user : undefined),
    },
    disownedSignIns: {
      find: async (token) => (token === goodToken ? { user, isSecured: false } : undefined),
    },
    emailAddresses: {
      linkOf: async () => ({ user, isFirst: true, email: user.email ?? '' }),
      confirmByCode: async () => undefined,
      pendingChange: async () => 'grace@navy.example',
    },
    throttle: {
      attempt: async () => undefined as never,
      reserve: async () => new Reservation([]),
    },
    signOut: {
      requested: async ({ clientId }) => ({
        kind: 'ask',
        client: clientId === shop.id ? shop : undefined,
        redirectTo: undefined,
      }),
    },
    browsers: { list: async () => [...browsers] },
    families: { list: async () => samples.sessions },
    consents: { list: async () => samples.consents },
    apiKeys: {
      list: async () => samples.keys,
      choose: () => ({}) as never,
      wasRevoked: async () => false,
      create: async () => ({
        key: samples.keys[0] as never,
        secret: 'sak_a-sample-that-is-no-key',
      }),
    },
    audit: { page: async () => samples.events },
    sealed: { seal: async () => goodToken, open: async () => ({}) as never },
    lifetimes: {},
    rememberSeconds: 0 as never,
    users: {},
    administration: {},
    guesses: {},
    passwords: {},
    personalData: {},
    registration: {},
    revocations: {},
    userSessions: {},
  }
  return services as unknown as PageServices
}

const launchable = {
  id: 'shop',
  name: 'Shop',
  initiateLoginUri: 'https://shop.example/sign-in',
}
