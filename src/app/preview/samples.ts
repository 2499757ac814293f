import { accountClientId } from '../../api/account/api-clients.ts'
import type { RecordedEvent } from '../../audit/audit-log.ts'
import type { AuthorizationRequest } from '../../authentication/authorization-request.ts'
import type { Client } from '../../clients/client.ts'
import { newClient } from '../../clients/new-client.ts'
import { later } from '../../clock.ts'
import type { ListedBrowserSession, SignedInBrowser } from '../../sessions/browser-sessions.ts'
import type { ListedSession } from '../../sessions/session.ts'
import type { ApiKey } from '../../tokens/api-keys.ts'
import type { User } from '../../users/user.ts'

const userId = '00000000-0000-7000-8000-000000000001'
const idOf = (count: number): string => userId.replace(/1$/, String(count))

const day = 86_400
const laptop = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const phone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1'

const scopes = ['openid', 'profile', 'email', 'offline_access', 'orders:read']
const redirectUri = 'https://shop.example/callback'

/** A person, their apps and their devices, as the preview of a theme shows them. */
export function createSamples(now: Date) {
  const ago = (days: number) => later(now, -days * day)
  const user: User = {
    id: userId,
    username: 'grace',
    email: 'grace.hopper@example.com',
    emailVerifiedAt: ago(300),
    fullName: 'Grace Hopper',
    locale: null,
    roles: [],
    createdAt: ago(300),
    disabledAt: null,
    mustChangePassword: false,
    passwordChangedAt: ago(40),
  }
  const browserSession = (count: number, days: number, userAgent: string) => ({
    id: idOf(count),
    userId,
    version: 1,
    createdAt: ago(days + 1),
    authTime: now,
    amr: ['pwd'],
    acr: 'urn:signet:acr:one',
    authenticatedFor: null,
    chosenFor: null,
    answered: [],
    remembered: true,
    idleExpiresAt: ago(-7),
    expiresAt: ago(-30),
    ip: count === 1 ? '192.0.2.17' : '2001:db8::5',
    userAgent,
    lastUsedAt: ago(days),
  })
  const browsers: ListedBrowserSession[] = [
    browserSession(1, 0, laptop),
    browserSession(2, 3, phone),
  ]
  const [own] = browsers as [ListedBrowserSession]
  const browser: SignedInBrowser = {
    session: own,
    mustChangePassword: false,
    isUnverified: false,
    passwordChangedAt: user.passwordChangedAt,
    locale: null,
  }
  return {
    user,
    browser,
    browsers,
    shop: clientOf('shop', 'Shop', now),
    account: clientOf(accountClientId, 'Account', now),
    sessions: [sessionOf(ago(12), ago(0.2))],
    consents: [{ clientId: 'shop', scopes, grantedAt: ago(12) }],
    keys: [keyOf(ago(20), ago(-70), ago(1))],
    events: eventsOf(ago),
  }
}

export const sampleRequest: AuthorizationRequest = {
  id: idOf(9),
  clientId: 'shop',
  redirectUri,
  responseMode: 'query',
  scope: scopes,
  audience: ['https://shop.example/api'],
  prompt: [],
  maxAge: null,
  uiLocales: [],
}

const clientOf = (id: string, name: string, createdAt: Date): Client => ({
  ...newClient.parse({
    id,
    name,
    grantTypes: ['authorization_code'],
    scopes,
    audiences: ['https://shop.example/api'],
    redirectUris: [redirectUri],
    clientUri: 'https://shop.example/',
    policyUri: 'https://shop.example/privacy',
    tosUri: 'https://shop.example/terms',
    initiateLoginUri: 'https://shop.example/sign-in',
  }),
  createdAt,
  disabledAt: null,
})

const sessionOf = (authTime: Date, lastUsedAt: Date): ListedSession => ({
  sid: idOf(3),
  userId,
  clientId: 'shop',
  scope: scopes,
  audience: [],
  authTime,
  amr: ['pwd'],
  acr: null,
  idleExpiresAt: authTime,
  expiresAt: authTime,
  ip: '192.0.2.17',
  userAgent: laptop,
  lastUsedAt,
})

const keyOf = (createdAt: Date, expiresAt: Date, lastUsedAt: Date): ApiKey => ({
  id: idOf(4),
  userId,
  name: 'Backup script',
  clientId: null,
  scope: ['orders:read'],
  audience: [],
  createdAt,
  expiresAt,
  lastUsedAt,
})

const eventsOf = (ago: (days: number) => Date): RecordedEvent[] =>
  (
    [
      ['user.signed_in', 'shop', 0],
      ['consent.given', 'shop', 12],
      ['user.password_set', null, 40],
      ['user.profile_changed', null, 41],
      ['user.registered', null, 300],
    ] as const
  ).map(([event, clientId, days], at) => ({
    id: String(100 - at),
    at: ago(days),
    event,
    user_id: userId,
    client_id: clientId,
    sid: null,
    ip: '192.0.2.17',
    detail: {},
  }))
