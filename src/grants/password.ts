import type { SignIn, SignInRefusal } from '../authentication/sign-in.ts'
import { OAuthError } from '../oauth/error.ts'
import { chooseAudience } from '../oauth/resource.ts'
import { narrowScope } from '../oauth/scope.ts'
import type { Grant } from './grant.ts'

/**
 * RFC 6749 §4.3, which RFC 9700 §2.4 forbids for apps of others: only a first-party client can have
 * it. Every sign-in begins a session, whether a refresh token comes with it or not, so that every
 * token of a person carries a `sid` that can be revoked.
 */
export function password({ signIn }: { readonly signIn: SignIn }): Grant {
  return {
    type: 'password',
    async exchange(client, params, { ip, userAgent }) {
      const signedIn = await signIn.withPassword({
        identifier: params.require('username'),
        password: params.require('password'),
        client,
        scope: narrowScope(params.get('scope'), client.scopes, client.defaultScopes),
        audience: chooseAudience(params, client.audiences),
        ip,
        userAgent,
        deviceToken: params.get('device_token'),
      })
      if ('refused' in signedIn) throw refused(signedIn.refused)
      return { ...signedIn.tokens, device_token: signedIn.deviceToken }
    },
  }
}

/** The second is said only to those who know the password. */
const sentences: Record<SignInRefusal, string> = {
  wrong_credentials: 'the username or the password is wrong',
  password_change_required: 'a new password is needed first: reset it by mail',
}

const refused = (cause: SignInRefusal) =>
  new OAuthError('invalid_grant', sentences[cause], { cause })
