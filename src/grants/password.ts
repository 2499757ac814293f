import type { PasswordRefusal } from '../authentication/password.ts'
import { OAuthError } from '../oauth/error.ts'
import { chooseAudience } from '../oauth/resource.ts'
import { narrowScope } from '../oauth/scope.ts'
import type { Grant } from './grant.ts'
import type { SignIn } from './sign-in.ts'

/**
 * RFC 6749 §4.3, which RFC 9700 §2.4 forbids for third-party apps: only a first-party client can have
 * this grant type.
 */
export function password({ signIn }: { readonly signIn: SignIn }): Grant {
  return {
    type: 'password',
    async exchange(client, params, { ip, userAgent }) {
      const result = await signIn.withPassword({
        identifier: params.require('username'),
        password: params.require('password'),
        client,
        scope: narrowScope(params.get('scope'), client.scopes, client.defaultScopes),
        audience: chooseAudience(params, client.audiences),
        device: { ip, userAgent },
        deviceToken: params.get('device_token'),
      })
      if ('refused' in result) throw refused(result.refused)
      return { ...result.tokens, device_token: result.deviceToken }
    },
  }
}

/** Only a caller who knows the password sees the second one. */
const descriptions: Record<PasswordRefusal, string> = {
  wrong_credentials: 'the username or the password is wrong',
  password_change_required: 'the password must be changed: request a password reset',
}

const refused = (cause: PasswordRefusal) =>
  new OAuthError('invalid_grant', descriptions[cause], { cause })
