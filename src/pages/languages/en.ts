/** English, and the type of every other language: a text that is missing there does not compile. */
export const en = {
  language: 'Language',
  continue: 'Continue',
  continueTo: (app: string) => `Continue to ${app}`,
  cancel: 'Cancel',
  tryAgain: 'Try again',
  skipToContent: 'Skip to content',
  checkFields: 'Check these fields:',

  email: 'Email address',
  emailOrUsername: 'Email address or username',
  fullName: 'Name',
  optional: '(optional)',
  password: 'Password',
  newPassword: 'New password',
  showPassword: 'Show password',
  passwordHint: 'At least 8 characters.',
  keepSignedIn: 'Keep me signed in',

  emailInvalid: 'Enter an email address such as name@example.com.',
  fullNameInvalid: 'Enter a name of at most 200 characters.',
  passwordMissing: 'Enter a password.',
  passwordWrong: 'The password is wrong.',
  passwordFaults: {
    too_short: 'The password must be at least 8 characters long.',
    too_long: 'The password must be at most 128 characters long.',
    guessable:
      'This password is easy to guess. Use several words that have nothing to do with you.',
    breached: 'This password appears in a list of stolen passwords. Choose another one.',
  },

  signIn: 'Sign in',
  signInTo: (app: string) => `to continue to ${app}`,
  wrongPassword:
    'The name or the password is wrong. If you have just registered, confirm your email address first: we have sent you a link.',
  formExpired: 'The page was open for too long. Please try again.',
  forgotPassword: 'Forgot your password?',
  newHere: 'New here?',
  createAccount: 'Create an account',
  haveAccount: 'Already have an account?',
  confirmIdentity: 'Confirm that it is you',
  confirmIdentityEffect: 'Enter your password to go on.',
  signedInAs: 'You are signed in as',
  signInAsHinted: (name: string) => `To continue, sign in as ${name}.`,
  useAnotherAccount: 'Use another account',
  chooseAccount: 'Choose an account',
  alreadySignedIn: 'You are signed in',
  toAccount: 'Go to your account',

  register: 'Create your account',
  registerClosed: 'Registration is closed',
  registerClosedEffect: 'Accounts are created by the administrators of this service.',
  checkInbox: 'Check your inbox',
  codeSent: (email: string) =>
    `We have sent an email to ${email}. Enter the code from it, or open its link.`,
  code: 'Code',
  codeHint: 'Eight characters, such as ABCD-2345.',
  codeWrong: 'This code is wrong or no longer valid.',
  confirm: 'Confirm',
  noMail: 'No email? It may be in the spam folder.',
  sendAgain: 'Send the email again',
  mailSentAgain: 'We have sent a new email. Codes and links from earlier emails no longer work.',
  useAnotherAddress: 'Use another address',

  forgotTitle: 'Reset your password',
  forgotEffect: 'Enter the email address of your account. We will send you a link.',
  sendLink: 'Send a link',
  linkSent:
    'If there is an account with this address, a link is on its way to it. It may take a few minutes.',
  backToSignIn: 'Back to sign-in',
  resetTitle: 'Choose a new password',
  resetEffect: 'You will be signed out everywhere.',
  changePassword: 'Change password',
  passwordChanged: 'Your password is changed',
  passwordChangedEffect: 'All sessions have ended. Sign in with the new password.',
  linkUnusable: 'This link no longer works',
  linkUnusableEffect: 'It was used already, or it is too old. You can get a new one.',

  secureTitle: 'Secure your account',
  secureLead:
    'If the sign-in in our email was not yours, someone else knows your password. Secure your account now:',
  secureSignsOut: 'Every device and app is signed out.',
  secureDeletesKeys: 'All API keys are deleted.',
  secureEndsPassword: 'The password stops working.',
  secureSendsMail: 'You get an email to choose a new one.',
  secureButton: 'Secure my account',
  secureOwn: 'It was me',
  securedTitle: 'Your account is secured',
  securedEffect:
    'Every session has ended, and the password no longer works. We have sent you an email to choose a new one. Its link works for an hour.',
  secureUnusable:
    'It was used already, or it is too old. If someone else knows your password, get a link to choose a new one.',

  verifyTitle: 'Confirm your email address',
  verifyEffect: (email: string) =>
    `Enter the password of your account to confirm that ${email} is yours.`,
  verifySignedIn: (email: string) => `Confirm that ${email} is your email address.`,
  verifyOtherwise: 'I did not choose a password, or I forgot it',
  verifyWithNew: 'Set password and confirm',
  verifyAsk: 'Enter your email address to get a new link.',
  verified: 'Your email address is confirmed',
  verifiedEffect: 'You can go back to the app, or sign in here.',

  owedTitle: 'Choose a new password',
  owedEffect: 'Your password has to be replaced before you can go on.',
  savePassword: 'Save and continue',

  consentTitle: (app: string) => `${app} wants to access your account`,
  consentScopes: 'It will be able to:',
  consentAlready: 'It is already allowed to:',
  consentReturn: (host: string) => `You will return to ${host}.`,
  consentProgram:
    'You will return to a program on this device. Continue only if you started it yourself.',
  allow: 'Allow',
  deny: 'Do not allow',
  scopes: {
    openid: 'Recognize you',
    profile: 'See your name and username',
    email: 'See your email address',
    offline_access: 'Stay connected when you are not using it',
    account: 'See and change your account',
    admin: 'Administer this server',
  } as Readonly<Record<string, string>>,
  scopeNamed: (scope: string) => `Use “${scope}” for you`,
  policy: 'Privacy policy',
  terms: 'Terms of service',

  signOut: 'Sign out',
  signOutOf: (app: string) => `Sign out of ${app}?`,
  signOutQuestion: 'Sign out?',
  signOutEffect:
    'You will be signed out of every app that you opened from this browser, except those that you allowed to stay connected.',
  signedOut: 'You are signed out',
  signedOutEffect:
    'The apps that you opened from this browser are signed out as well, except those that you allowed to stay connected.',
  signInAgain: 'Sign in again',

  homeWelcome: 'Your account',
  homeSignedOut: 'Sign in to see your account and your apps.',
  homeApps: 'Your apps',
  startTitle: 'Getting started',
  startSignIn:
    'Sign in with the administrator account that the server printed when it first started.',
  startClient: 'Connect an app: create a client on the command line.',
  startDocs: 'Read about the API and try it.',
  apiReference: 'API reference',

  errorTitle: 'Something went wrong',
  errorUnknownClient: 'This link does not come from an app that is known here.',
  errorRedirect:
    'The app sent an address that is not registered for it, so you cannot be sent back there.',
  errorRequest: 'This request was not accepted. Go back to the app and start again.',
  errorTooMany: 'There were too many attempts.',
  errorTooManyUntil: (minutes: number) =>
    minutes <= 1 ? 'Try again in a minute.' : `Try again in ${minutes} minutes.`,
  errorUnavailable: 'The server cannot answer now. Try again in a moment.',
  errorServer: 'The server met an unexpected condition. Try again later.',
  notFoundTitle: 'Page not found',
  errorNotFound: 'There is no page at this address.',
  errorOrigin: 'The form was sent from another site. Open the page again.',
  requestNumber: (id: string) => `Request number: ${id}`,
  startAgainAt: (app: string) => `Start again at ${app}`,
  toStart: 'Go to the start page',
}

export type Messages = typeof en
