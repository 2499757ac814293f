import { basicRequests } from './basic-requests.ts'
import { basicSessions } from './basic-sessions.ts'
import { configuration } from './config-module.ts'
import { backChannelLogout, rpInitiatedLogout } from './logout-modules.ts'
import type { Plan } from './module.ts'

export const basic = [...basicRequests, ...basicSessions]

/** The certification profiles that this server is to pass, and the modules of each. */
export const plans: readonly Plan[] = [
  { profile: 'Basic OP', plan: 'oidcc-basic-certification-test-plan', modules: basic },
  { profile: 'Config OP', plan: 'oidcc-config-certification-test-plan', modules: configuration },
  {
    profile: 'Form Post OP (basic)',
    plan: 'oidcc-formpost-basic-certification-test-plan',
    modules: basic,
  },
  {
    profile: 'RP-Initiated Logout OP',
    plan: 'oidcc-rp-initiated-logout-certification-test-plan',
    modules: rpInitiatedLogout,
  },
  {
    profile: 'Back-Channel Logout OP',
    plan: 'oidcc-backchannel-rp-initiated-logout-certification-test-plan',
    modules: backChannelLogout,
  },
]
