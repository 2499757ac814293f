import type { Messages } from './en.ts'

export const de = {
  language: 'Sprache',
  continue: 'Weiter',
  continueTo: (app) => `Weiter zu ${app}`,
  cancel: 'Abbrechen',
  tryAgain: 'Erneut versuchen',
  skipToContent: 'Zum Inhalt springen',
  checkFields: 'Bitte prüfen Sie diese Felder:',

  email: 'E-Mail-Adresse',
  emailOrUsername: 'E-Mail-Adresse oder Benutzername',
  fullName: 'Name',
  optional: '(optional)',
  password: 'Passwort',
  newPassword: 'Neues Passwort',
  showPassword: 'Passwort anzeigen',
  passwordHint: 'Mindestens 8 Zeichen.',
  keepSignedIn: 'Angemeldet bleiben',

  emailInvalid: 'Geben Sie eine E-Mail-Adresse wie name@example.com ein.',
  fullNameInvalid: 'Geben Sie einen Namen mit höchstens 200 Zeichen ein.',
  passwordMissing: 'Geben Sie ein Passwort ein.',
  passwordWrong: 'Das Passwort ist falsch.',
  passwordFaults: {
    too_short: 'Das Passwort muss mindestens 8 Zeichen lang sein.',
    too_long: 'Das Passwort darf höchstens 128 Zeichen lang sein.',
    guessable:
      'Dieses Passwort ist leicht zu erraten. Verwenden Sie mehrere Wörter, die nichts mit Ihnen zu tun haben.',
    breached:
      'Dieses Passwort steht in einer Liste gestohlener Passwörter. Wählen Sie ein anderes.',
  },

  signIn: 'Anmelden',
  signInTo: (app) => `um mit ${app} fortzufahren`,
  wrongPassword:
    'Name oder Passwort ist falsch. Wenn Sie sich gerade registriert haben, bestätigen Sie zuerst Ihre E-Mail-Adresse: Wir haben Ihnen einen Link geschickt.',
  formExpired: 'Die Seite war zu lange geöffnet. Bitte versuchen Sie es erneut.',
  forgotPassword: 'Passwort vergessen?',
  newHere: 'Neu hier?',
  createAccount: 'Konto erstellen',
  haveAccount: 'Sie haben schon ein Konto?',
  confirmIdentity: 'Bestätigen Sie Ihre Identität',
  confirmIdentityEffect: 'Geben Sie Ihr Passwort ein, um fortzufahren.',
  signedInAs: 'Angemeldet als',
  signInAsHinted: (name) => `Melden Sie sich als ${name} an, um fortzufahren.`,
  useAnotherAccount: 'Anderes Konto verwenden',
  chooseAccount: 'Konto auswählen',
  alreadySignedIn: 'Sie sind angemeldet',
  toAccount: 'Zu Ihrem Konto',

  register: 'Konto erstellen',
  registerClosed: 'Die Registrierung ist geschlossen',
  registerClosedEffect: 'Konten werden von den Administratoren dieses Dienstes angelegt.',
  checkInbox: 'Sehen Sie in Ihrem Posteingang nach',
  codeSent: (email) =>
    `Wir haben eine E-Mail an ${email} gesendet. Geben Sie den Code daraus ein oder öffnen Sie den Link.`,
  code: 'Code',
  codeHint: 'Acht Zeichen, zum Beispiel ABCD-2345.',
  codeWrong: 'Dieser Code ist falsch oder nicht mehr gültig.',
  confirm: 'Bestätigen',
  noMail: 'Keine E-Mail erhalten? Sehen Sie im Spam-Ordner nach.',
  sendAgain: 'E-Mail erneut senden',
  mailSentAgain:
    'Wir haben eine neue E-Mail gesendet. Codes und Links aus früheren E-Mails gelten nicht mehr.',
  useAnotherAddress: 'Andere Adresse verwenden',

  forgotTitle: 'Passwort zurücksetzen',
  forgotEffect: 'Geben Sie die E-Mail-Adresse Ihres Kontos ein. Wir senden Ihnen einen Link.',
  sendLink: 'Link senden',
  linkSent:
    'Wenn es ein Konto mit dieser Adresse gibt, ist ein Link dorthin unterwegs. Das kann einige Minuten dauern.',
  backToSignIn: 'Zurück zur Anmeldung',
  resetTitle: 'Neues Passwort wählen',
  resetEffect: 'Sie werden überall abgemeldet.',
  changePassword: 'Passwort ändern',
  passwordChanged: 'Ihr Passwort wurde geändert',
  passwordChangedEffect:
    'Alle Sitzungen wurden beendet. Melden Sie sich mit dem neuen Passwort an.',
  linkUnusable: 'Dieser Link ist nicht mehr gültig',
  linkUnusableEffect: 'Er wurde schon verwendet oder ist zu alt. Sie können einen neuen anfordern.',

  secureTitle: 'Konto sichern',
  secureLead:
    'Wenn die Anmeldung in unserer E-Mail nicht von Ihnen war, kennt jemand anderes Ihr Passwort. Sichern Sie Ihr Konto jetzt:',
  secureSignsOut: 'Alle Geräte und Apps werden abgemeldet.',
  secureDeletesKeys: 'Alle API-Schlüssel werden gelöscht.',
  secureEndsPassword: 'Das Passwort gilt nicht mehr.',
  secureSendsMail: 'Sie erhalten eine E-Mail, mit der Sie ein neues wählen.',
  secureButton: 'Mein Konto sichern',
  secureOwn: 'Das war ich',
  securedTitle: 'Ihr Konto ist gesichert',
  securedEffect:
    'Alle Sitzungen wurden beendet, und das Passwort gilt nicht mehr. Wir haben Ihnen eine E-Mail gesendet, mit der Sie ein neues wählen. Der Link darin gilt eine Stunde lang.',
  secureUnusable:
    'Er wurde schon verwendet oder ist zu alt. Wenn jemand anderes Ihr Passwort kennt, fordern Sie einen Link an, um ein neues zu wählen.',

  verifyTitle: 'E-Mail-Adresse bestätigen',
  verifyEffect: (email) =>
    `Geben Sie das Passwort Ihres Kontos ein, um zu bestätigen, dass ${email} Ihre Adresse ist.`,
  verifySignedIn: (email) => `Bestätigen Sie, dass ${email} Ihre E-Mail-Adresse ist.`,
  verifyOtherwise: 'Ich habe kein Passwort gewählt oder es vergessen',
  verifyWithNew: 'Passwort festlegen und bestätigen',
  verifyAsk: 'Geben Sie Ihre E-Mail-Adresse ein, um einen neuen Link zu erhalten.',
  verified: 'Ihre E-Mail-Adresse ist bestätigt',
  verifiedEffect: 'Sie können zur App zurückkehren oder sich hier anmelden.',

  owedTitle: 'Neues Passwort wählen',
  owedEffect: 'Ihr Passwort muss ersetzt werden, bevor Sie fortfahren können.',
  savePassword: 'Speichern und fortfahren',

  consentTitle: (app) => `${app} möchte auf Ihr Konto zugreifen`,
  consentScopes: 'Die App darf dann:',
  consentAlready: 'Das darf die App bereits:',
  consentReturn: (host) => `Sie kehren zu ${host} zurück.`,
  consentProgram:
    'Sie kehren zu einem Programm auf diesem Gerät zurück. Fahren Sie nur fort, wenn Sie es selbst gestartet haben.',
  allow: 'Erlauben',
  deny: 'Nicht erlauben',
  scopes: {
    openid: 'Sie wiedererkennen',
    profile: 'Ihren Namen und Benutzernamen sehen',
    email: 'Ihre E-Mail-Adresse sehen',
    offline_access: 'verbunden bleiben, wenn Sie die App nicht verwenden',
    account: 'Ihr Konto sehen und ändern',
    admin: 'diesen Server verwalten',
  },
  scopeNamed: (scope) => `„${scope}“ für Sie verwenden`,
  policy: 'Datenschutzerklärung',
  terms: 'Nutzungsbedingungen',

  signOut: 'Abmelden',
  signOutOf: (app) => `Von ${app} abmelden?`,
  signOutQuestion: 'Abmelden?',
  signOutEffect:
    'Sie werden von allen Apps abgemeldet, die Sie in diesem Browser geöffnet haben, außer von denen, die verbunden bleiben dürfen.',
  signedOut: 'Sie sind abgemeldet',
  signedOutEffect:
    'Auch die Apps, die Sie in diesem Browser geöffnet haben, sind abgemeldet, außer denen, die verbunden bleiben dürfen.',
  signInAgain: 'Erneut anmelden',

  homeWelcome: 'Ihr Konto',
  homeSignedOut: 'Melden Sie sich an, um Ihr Konto und Ihre Apps zu sehen.',
  homeApps: 'Ihre Apps',
  startTitle: 'Erste Schritte',
  startSignIn:
    'Melden Sie sich mit dem Administratorkonto an, das der Server beim ersten Start ausgegeben hat.',
  startClient: 'Verbinden Sie eine App: Legen Sie auf der Kommandozeile einen Client an.',
  startDocs: 'Lernen Sie die API kennen und probieren Sie sie aus.',
  apiReference: 'API-Referenz',

  errorTitle: 'Etwas ist schiefgegangen',
  errorUnknownClient: 'Dieser Link stammt nicht von einer App, die hier bekannt ist.',
  errorRedirect:
    'Die App hat eine Adresse gesendet, die nicht für sie registriert ist. Deshalb können Sie nicht dorthin zurückgeschickt werden.',
  errorRequest:
    'Diese Anfrage wurde nicht angenommen. Gehen Sie zur App zurück und beginnen Sie von vorn.',
  errorTooMany: 'Es gab zu viele Versuche.',
  errorTooManyUntil: (minutes) =>
    minutes <= 1
      ? 'Versuchen Sie es in einer Minute erneut.'
      : `Versuchen Sie es in ${minutes} Minuten erneut.`,
  errorUnavailable: 'Der Server kann gerade nicht antworten. Versuchen Sie es gleich noch einmal.',
  errorServer: 'Auf dem Server ist ein Fehler aufgetreten. Versuchen Sie es später erneut.',
  notFoundTitle: 'Seite nicht gefunden',
  errorNotFound: 'Unter dieser Adresse gibt es keine Seite.',
  errorOrigin:
    'Das Formular wurde von einer anderen Website gesendet. Öffnen Sie die Seite noch einmal.',
  requestNumber: (id) => `Anfragenummer: ${id}`,
  startAgainAt: (app) => `Bei ${app} neu beginnen`,
  toStart: 'Zur Startseite',
} satisfies Messages
