import type { Config } from '../config/config.ts'
import type { Runtime, Services } from './services.ts'

/** The part of the runtime that the pages use. */
export interface PageRuntime extends Pick<Runtime, 'now' | 'theme'> {
  readonly config: Pick<Config, 'issuer' | 'REGISTRATION'>
}

/** The services that the pages use. The preview of a theme has samples of these. */
export type PageServices = Pick<
  Services,
  | 'administration'
  | 'apiKeys'
  | 'apps'
  | 'audit'
  | 'browsers'
  | 'browserSignIn'
  | 'clients'
  | 'consents'
  | 'credentials'
  | 'disownedSignIns'
  | 'emailAddresses'
  | 'families'
  | 'flow'
  | 'guesses'
  | 'lifetimes'
  | 'passwords'
  | 'personalData'
  | 'registration'
  | 'rememberSeconds'
  | 'revocations'
  | 'sealed'
  | 'signOut'
  | 'throttle'
  | 'users'
  | 'userSessions'
>
