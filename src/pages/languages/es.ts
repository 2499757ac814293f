import type { Messages } from './en.ts'

export const es = {
  language: 'Idioma',
  continue: 'Continuar',
  continueTo: (app) => `Continuar a ${app}`,
  cancel: 'Cancelar',
  tryAgain: 'Volver a intentarlo',
  skipToContent: 'Ir al contenido',
  checkFields: 'Revise estos campos:',

  email: 'Correo electrónico',
  emailOrUsername: 'Correo electrónico o nombre de usuario',
  fullName: 'Nombre',
  optional: '(opcional)',
  password: 'Contraseña',
  newPassword: 'Contraseña nueva',
  showPassword: 'Mostrar la contraseña',
  passwordHint: 'Al menos 8 caracteres.',
  keepSignedIn: 'Mantener la sesión iniciada',

  emailInvalid: 'Introduzca un correo electrónico, por ejemplo nombre@example.com.',
  fullNameInvalid: 'Introduzca un nombre de 200 caracteres como máximo.',
  passwordMissing: 'Introduzca una contraseña.',
  passwordWrong: 'La contraseña no es correcta.',
  passwordFaults: {
    too_short: 'La contraseña debe tener al menos 8 caracteres.',
    too_long: 'La contraseña debe tener 128 caracteres como máximo.',
    guessable:
      'Esta contraseña es fácil de adivinar. Use varias palabras que no tengan que ver con usted.',
    breached: 'Esta contraseña aparece en una lista de contraseñas robadas. Elija otra.',
  },

  signIn: 'Iniciar sesión',
  signInTo: (app) => `para continuar a ${app}`,
  wrongPassword:
    'El nombre o la contraseña no son correctos. Si acaba de registrarse, confirme primero su correo electrónico: le hemos enviado un enlace.',
  formExpired: 'La página ha estado abierta demasiado tiempo. Vuelva a intentarlo.',
  forgotPassword: '¿Ha olvidado la contraseña?',
  newHere: '¿Es su primera vez?',
  createAccount: 'Crear una cuenta',
  haveAccount: '¿Ya tiene una cuenta?',
  confirmIdentity: 'Confirme su identidad',
  confirmIdentityEffect: 'Introduzca su contraseña para continuar.',
  signedInAs: 'Ha iniciado sesión como',
  signInAsHinted: (name) => `Para continuar, inicie sesión como ${name}.`,
  useAnotherAccount: 'Usar otra cuenta',
  chooseAccount: 'Elija una cuenta',
  alreadySignedIn: 'Ha iniciado sesión',
  toAccount: 'Ir a su cuenta',

  register: 'Cree su cuenta',
  registerClosed: 'El registro está cerrado',
  registerClosedEffect: 'Los administradores de este servicio crean las cuentas.',
  checkInbox: 'Revise su bandeja de entrada',
  codeSent: (email) =>
    `Hemos enviado un mensaje a ${email}. Introduzca el código que contiene o abra el enlace.`,
  code: 'Código',
  codeHint: 'Ocho caracteres, por ejemplo ABCD-2345.',
  codeWrong: 'Este código no es correcto o ya no es válido.',
  confirm: 'Confirmar',
  noMail: '¿No le ha llegado? Mire en la carpeta de correo no deseado.',
  sendAgain: 'Volver a enviar el mensaje',
  mailSentAgain:
    'Hemos enviado un mensaje nuevo. Los códigos y enlaces de los mensajes anteriores ya no son válidos.',
  useAnotherAddress: 'Usar otra dirección',

  forgotTitle: 'Restablecer la contraseña',
  forgotEffect: 'Introduzca el correo electrónico de su cuenta. Le enviaremos un enlace.',
  sendLink: 'Enviar un enlace',
  linkSent:
    'Si hay una cuenta con esta dirección, le llegará un enlace. Puede tardar unos minutos.',
  backToSignIn: 'Volver al inicio de sesión',
  resetTitle: 'Elija una contraseña nueva',
  resetEffect: 'Se cerrará la sesión en todas partes.',
  changePassword: 'Cambiar la contraseña',
  passwordChanged: 'Se ha cambiado su contraseña',
  passwordChangedEffect: 'Todas las sesiones han terminado. Inicie sesión con la contraseña nueva.',
  linkUnusable: 'Este enlace ya no es válido',
  linkUnusableEffect: 'Ya se ha usado o es demasiado antiguo. Puede pedir uno nuevo.',

  secureTitle: 'Proteja su cuenta',
  secureLead:
    'Si el inicio de sesión de nuestro mensaje no fue suyo, otra persona conoce su contraseña. Proteja su cuenta ahora:',
  secureSignsOut: 'Se cierra la sesión en todos los dispositivos y aplicaciones.',
  secureDeletesKeys: 'Se eliminan todas las claves de API.',
  secureEndsPassword: 'La contraseña deja de ser válida.',
  secureSendsMail: 'Recibe un mensaje para elegir una nueva.',
  secureButton: 'Proteger mi cuenta',
  secureOwn: 'He sido yo',
  securedTitle: 'Su cuenta está protegida',
  securedEffect:
    'Todas las sesiones han terminado y la contraseña ya no es válida. Le hemos enviado un mensaje para elegir una nueva. Su enlace se puede usar durante una hora.',
  secureUnusable:
    'Ya se ha usado o es demasiado antiguo. Si otra persona conoce su contraseña, pida un enlace para elegir una nueva.',

  verifyTitle: 'Confirme su correo electrónico',
  verifyEffect: (email) =>
    `Introduzca la contraseña de su cuenta para confirmar que ${email} es suyo.`,
  verifySignedIn: (email) => `Confirme que ${email} es su correo electrónico.`,
  verifyOtherwise: 'No elegí una contraseña o la he olvidado',
  verifyWithNew: 'Establecer la contraseña y confirmar',
  verifyAsk: 'Introduzca su correo electrónico para recibir un enlace nuevo.',
  verified: 'Su correo electrónico está confirmado',
  verifiedEffect: 'Puede volver a la aplicación o iniciar sesión aquí.',

  owedTitle: 'Elija una contraseña nueva',
  owedEffect: 'Debe cambiar su contraseña antes de continuar.',
  savePassword: 'Guardar y continuar',

  consentTitle: (app) => `${app} quiere acceder a su cuenta`,
  consentScopes: 'La aplicación podrá:',
  consentAlready: 'La aplicación ya puede:',
  consentReturn: (host) => `Volverá a ${host}.`,
  consentProgram:
    'Volverá a un programa de este dispositivo. Continúe solo si lo ha iniciado usted.',
  allow: 'Permitir',
  deny: 'No permitir',
  scopes: {
    openid: 'Reconocerle',
    profile: 'Ver su nombre y su nombre de usuario',
    email: 'Ver su correo electrónico',
    offline_access: 'Seguir conectada cuando no la use',
    account: 'Ver y cambiar su cuenta',
    admin: 'Administrar este servidor',
  },
  scopeNamed: (scope) => `Usar «${scope}» en su nombre`,
  policy: 'Política de privacidad',
  terms: 'Condiciones del servicio',

  signOut: 'Cerrar sesión',
  signOutOf: (app) => `¿Cerrar sesión en ${app}?`,
  signOutQuestion: '¿Cerrar sesión?',
  signOutEffect:
    'Se cerrará la sesión en todas las aplicaciones que haya abierto desde este navegador, salvo en las que autorizó a seguir conectadas.',
  signedOut: 'Ha cerrado sesión',
  signedOutEffect:
    'También se ha cerrado la sesión en las aplicaciones que abrió desde este navegador, salvo en las que autorizó a seguir conectadas.',
  signInAgain: 'Volver a iniciar sesión',

  homeWelcome: 'Su cuenta',
  homeSignedOut: 'Inicie sesión para ver su cuenta y sus aplicaciones.',
  homeApps: 'Sus aplicaciones',
  startTitle: 'Primeros pasos',
  startSignIn:
    'Inicie sesión con la cuenta de administrador que el servidor mostró en su primer arranque.',
  startClient: 'Conecte una aplicación: cree un cliente desde la línea de comandos.',
  startDocs: 'Conozca la API y pruébela.',
  apiReference: 'Referencia de la API',

  errorTitle: 'Algo ha ido mal',
  errorUnknownClient: 'Este enlace no procede de una aplicación conocida aquí.',
  errorRedirect:
    'La aplicación ha enviado una dirección que no tiene registrada, así que no podemos llevarle de vuelta.',
  errorRequest: 'Esta solicitud no se ha aceptado. Vuelva a la aplicación y empiece de nuevo.',
  errorTooMany: 'Ha habido demasiados intentos.',
  errorTooManyUntil: (minutes) =>
    minutes <= 1 ? 'Inténtelo de nuevo en un minuto.' : `Inténtelo de nuevo en ${minutes} minutos.`,
  errorUnavailable: 'El servidor no puede responder ahora. Inténtelo de nuevo en un momento.',
  errorServer: 'Se ha producido un error en el servidor. Inténtelo más tarde.',
  notFoundTitle: 'Página no encontrada',
  errorNotFound: 'No hay ninguna página en esta dirección.',
  errorOrigin: 'El formulario se ha enviado desde otro sitio. Vuelva a abrir la página.',
  requestNumber: (id) => `Número de la solicitud: ${id}`,
  startAgainAt: (app) => `Empezar de nuevo en ${app}`,
  toStart: 'Ir a la página de inicio',
} satisfies Messages
