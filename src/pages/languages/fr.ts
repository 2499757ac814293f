import type { Messages } from './en.ts'

export const fr = {
  language: 'Langue',
  continue: 'Continuer',
  continueTo: (app) => `Continuer vers ${app}`,
  cancel: 'Annuler',
  tryAgain: 'Réessayer',
  skipToContent: 'Aller au contenu',
  checkFields: 'Vérifiez ces champs :',

  email: 'Adresse e-mail',
  emailOrUsername: 'Adresse e-mail ou nom d’utilisateur',
  fullName: 'Nom',
  optional: '(facultatif)',
  password: 'Mot de passe',
  newPassword: 'Nouveau mot de passe',
  showPassword: 'Afficher le mot de passe',
  passwordHint: '8 caractères au minimum.',
  keepSignedIn: 'Rester connecté',

  emailInvalid: 'Saisissez une adresse e-mail, par exemple nom@example.com.',
  fullNameInvalid: 'Saisissez un nom de 200 caractères au maximum.',
  passwordMissing: 'Saisissez un mot de passe.',
  passwordWrong: 'Le mot de passe est incorrect.',
  passwordFaults: {
    too_short: 'Le mot de passe doit comporter au moins 8 caractères.',
    too_long: 'Le mot de passe doit comporter au plus 128 caractères.',
    guessable:
      'Ce mot de passe est facile à deviner. Utilisez plusieurs mots sans rapport avec vous.',
    breached:
      'Ce mot de passe figure dans une liste de mots de passe volés. Choisissez-en un autre.',
  },

  signIn: 'Se connecter',
  signInTo: (app) => `pour continuer vers ${app}`,
  wrongPassword:
    'Le nom ou le mot de passe est incorrect. Si vous venez de vous inscrire, confirmez d’abord votre adresse e-mail : nous vous avons envoyé un lien.',
  formExpired: 'La page est restée ouverte trop longtemps. Veuillez réessayer.',
  forgotPassword: 'Mot de passe oublié ?',
  newHere: 'Première visite ?',
  createAccount: 'Créer un compte',
  haveAccount: 'Vous avez déjà un compte ?',
  confirmIdentity: 'Confirmez votre identité',
  confirmIdentityEffect: 'Saisissez votre mot de passe pour continuer.',
  signedInAs: 'Vous êtes connecté en tant que',
  signInAsHinted: (name) => `Pour continuer, connectez-vous en tant que ${name}.`,
  useAnotherAccount: 'Utiliser un autre compte',
  chooseAccount: 'Choisissez un compte',
  alreadySignedIn: 'Vous êtes connecté',
  toAccount: 'Accéder à votre compte',

  register: 'Créez votre compte',
  registerClosed: 'Les inscriptions sont fermées',
  registerClosedEffect: 'Les comptes sont créés par les administrateurs de ce service.',
  checkInbox: 'Consultez votre boîte de réception',
  codeSent: (email) =>
    `Nous avons envoyé un e-mail à ${email}. Saisissez le code qu’il contient ou ouvrez son lien.`,
  code: 'Code',
  codeHint: 'Huit caractères, par exemple ABCD-2345.',
  codeWrong: 'Ce code est incorrect ou n’est plus valable.',
  confirm: 'Confirmer',
  noMail: 'Vous ne trouvez pas l’e-mail ? Regardez dans les courriers indésirables.',
  sendAgain: 'Renvoyer l’e-mail',
  mailSentAgain:
    'Nous avons envoyé un nouvel e-mail. Les codes et liens des e-mails précédents ne sont plus valables.',
  useAnotherAddress: 'Utiliser une autre adresse',

  forgotTitle: 'Réinitialiser le mot de passe',
  forgotEffect: 'Saisissez l’adresse e-mail de votre compte. Nous vous enverrons un lien.',
  sendLink: 'Envoyer un lien',
  linkSent:
    'Si un compte existe avec cette adresse, un lien vient de lui être envoyé. Cela peut prendre quelques minutes.',
  backToSignIn: 'Retour à la connexion',
  resetTitle: 'Choisissez un nouveau mot de passe',
  resetEffect: 'Vous serez déconnecté partout.',
  changePassword: 'Changer le mot de passe',
  passwordChanged: 'Votre mot de passe a été changé',
  passwordChangedEffect:
    'Toutes les sessions sont terminées. Connectez-vous avec le nouveau mot de passe.',
  linkUnusable: 'Ce lien n’est plus valable',
  linkUnusableEffect:
    'Il a déjà été utilisé ou il est trop ancien. Vous pouvez en demander un nouveau.',

  secureTitle: 'Sécurisez votre compte',
  secureLead:
    'Si la connexion indiquée dans notre e-mail n’était pas la vôtre, quelqu’un d’autre connaît votre mot de passe. Sécurisez votre compte maintenant :',
  secureSignsOut: 'Tous les appareils et applications sont déconnectés.',
  secureDeletesKeys: 'Toutes les clés d’API sont supprimées.',
  secureEndsPassword: 'Le mot de passe n’est plus valable.',
  secureSendsMail: 'Vous recevez un e-mail pour en choisir un nouveau.',
  secureButton: 'Sécuriser mon compte',
  secureOwn: 'C’était moi',
  securedTitle: 'Votre compte est sécurisé',
  securedEffect:
    'Toutes les sessions sont terminées, et le mot de passe n’est plus valable. Nous vous avons envoyé un e-mail pour en choisir un nouveau. Son lien est utilisable pendant une heure.',
  secureUnusable:
    'Il a déjà été utilisé ou il est trop ancien. Si quelqu’un d’autre connaît votre mot de passe, demandez un lien pour en choisir un nouveau.',

  verifyTitle: 'Confirmez votre adresse e-mail',
  verifyEffect: (email) =>
    `Saisissez le mot de passe de votre compte pour confirmer que ${email} est bien à vous.`,
  verifySignedIn: (email) => `Confirmez que ${email} est votre adresse e-mail.`,
  verifyOtherwise: 'Je n’ai pas choisi de mot de passe ou je l’ai oublié',
  verifyWithNew: 'Définir le mot de passe et confirmer',
  verifyAsk: 'Saisissez votre adresse e-mail pour recevoir un nouveau lien.',
  verified: 'Votre adresse e-mail est confirmée',
  verifiedEffect: 'Vous pouvez revenir à l’application ou vous connecter ici.',

  owedTitle: 'Choisissez un nouveau mot de passe',
  owedEffect: 'Votre mot de passe doit être remplacé avant de continuer.',
  savePassword: 'Enregistrer et continuer',

  consentTitle: (app) => `${app} souhaite accéder à votre compte`,
  consentScopes: 'L’application pourra :',
  consentAlready: 'L’application peut déjà :',
  consentReturn: (host) => `Vous reviendrez à ${host}.`,
  consentProgram:
    'Vous reviendrez à un programme sur cet appareil. Continuez seulement si vous l’avez lancé vous-même.',
  allow: 'Autoriser',
  deny: 'Ne pas autoriser',
  scopes: {
    openid: 'Vous reconnaître',
    profile: 'Voir votre nom et votre nom d’utilisateur',
    email: 'Voir votre adresse e-mail',
    offline_access: 'Rester connectée lorsque vous ne l’utilisez pas',
    account: 'Voir et modifier votre compte',
    admin: 'Administrer ce serveur',
  },
  scopeNamed: (scope) => `Utiliser « ${scope} » pour vous`,
  policy: 'Politique de confidentialité',
  terms: 'Conditions d’utilisation',

  signOut: 'Se déconnecter',
  signOutOf: (app) => `Se déconnecter de ${app} ?`,
  signOutQuestion: 'Se déconnecter ?',
  signOutEffect:
    'Vous serez déconnecté de toutes les applications que vous avez ouvertes depuis ce navigateur, sauf de celles que vous avez autorisées à rester connectées.',
  signedOut: 'Vous êtes déconnecté',
  signedOutEffect:
    'Les applications que vous avez ouvertes depuis ce navigateur le sont aussi, sauf celles que vous avez autorisées à rester connectées.',
  signInAgain: 'Se reconnecter',

  homeWelcome: 'Votre compte',
  homeSignedOut: 'Connectez-vous pour voir votre compte et vos applications.',
  homeApps: 'Vos applications',
  startTitle: 'Premiers pas',
  startSignIn:
    'Connectez-vous avec le compte administrateur que le serveur a affiché à son premier démarrage.',
  startClient: 'Connectez une application : créez un client en ligne de commande.',
  startDocs: 'Découvrez l’API et essayez-la.',
  apiReference: 'Référence de l’API',

  errorTitle: 'Une erreur s’est produite',
  errorUnknownClient: 'Ce lien ne provient pas d’une application connue ici.',
  errorRedirect:
    'L’application a envoyé une adresse qui n’est pas enregistrée pour elle : impossible de vous y renvoyer.',
  errorRequest: 'Cette demande n’a pas été acceptée. Revenez à l’application et recommencez.',
  errorTooMany: 'Il y a eu trop de tentatives.',
  errorTooManyUntil: (minutes) =>
    minutes <= 1 ? 'Réessayez dans une minute.' : `Réessayez dans ${minutes} minutes.`,
  errorUnavailable: 'Le serveur ne peut pas répondre pour le moment. Réessayez dans un instant.',
  errorServer: 'Une erreur est survenue sur le serveur. Réessayez plus tard.',
  notFoundTitle: 'Page introuvable',
  errorNotFound: 'Il n’y a pas de page à cette adresse.',
  errorOrigin: 'Le formulaire a été envoyé depuis un autre site. Ouvrez de nouveau la page.',
  requestNumber: (id) => `Numéro de la demande : ${id}`,
  startAgainAt: (app) => `Recommencer sur ${app}`,
  toStart: 'Aller à la page d’accueil',
} satisfies Messages
