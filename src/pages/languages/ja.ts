import type { Messages } from './en.ts'

export const ja = {
  language: '言語',
  continue: '続ける',
  continueTo: (app) => `${app} に進む`,
  cancel: 'キャンセル',
  tryAgain: 'もう一度試す',
  skipToContent: '本文へ移動',
  checkFields: '次の項目をご確認ください。',

  email: 'メールアドレス',
  emailOrUsername: 'メールアドレスまたはユーザー名',
  fullName: '氏名',
  optional: '（任意）',
  password: 'パスワード',
  newPassword: '新しいパスワード',
  showPassword: 'パスワードを表示',
  passwordHint: '8文字以上で入力してください。',
  keepSignedIn: 'ログイン状態を保持する',

  emailInvalid: 'name@example.com のようなメールアドレスを入力してください。',
  fullNameInvalid: '氏名は200文字以内で入力してください。',
  passwordMissing: 'パスワードを入力してください。',
  passwordWrong: 'パスワードが正しくありません。',
  passwordFaults: {
    too_short: 'パスワードは8文字以上にしてください。',
    too_long: 'パスワードは128文字以内にしてください。',
    guessable:
      'このパスワードは推測されやすいものです。ご自身と関係のない複数の単語を組み合わせてください。',
    breached:
      'このパスワードは流出したパスワードの一覧に含まれています。別のものを選んでください。',
  },

  signIn: 'ログイン',
  signInTo: (app) => `${app} に進むにはログインしてください`,
  wrongPassword:
    '名前またはパスワードが正しくありません。登録したばかりの場合は、先にお送りしたリンクでメールアドレスを確認してください。',
  formExpired: 'ページを開いてから時間が経ちすぎました。もう一度お試しください。',
  forgotPassword: 'パスワードをお忘れですか？',
  newHere: '初めてご利用ですか？',
  createAccount: 'アカウントを作成',
  haveAccount: 'すでにアカウントをお持ちですか？',
  confirmIdentity: 'ご本人確認',
  confirmIdentityEffect: '続けるにはパスワードを入力してください。',
  signedInAs: 'ログイン中のアカウント',
  signInAsHinted: (name) => `続けるには ${name} としてログインしてください。`,
  useAnotherAccount: '別のアカウントを使う',
  chooseAccount: 'アカウントを選択',
  alreadySignedIn: 'ログインしています',
  toAccount: 'アカウントページへ',

  register: 'アカウントを作成',
  registerClosed: '新規登録は受け付けていません',
  registerClosedEffect: 'アカウントはこのサービスの管理者が作成します。',
  checkInbox: 'メールをご確認ください',
  codeSent: (email) =>
    `${email} にメールを送信しました。メールに記載のコードを入力するか、リンクを開いてください。`,
  code: 'コード',
  codeHint: 'ABCD-2345 のような8文字です。',
  codeWrong: 'コードが正しくないか、有効期限が切れています。',
  confirm: '確認する',
  noMail: 'メールが届かない場合は、迷惑メールフォルダもご確認ください。',
  sendAgain: 'メールを再送信',
  mailSentAgain: '新しいメールを送信しました。以前のメールのコードとリンクは使えません。',
  useAnotherAddress: '別のアドレスを使う',

  forgotTitle: 'パスワードの再設定',
  forgotEffect: 'アカウントのメールアドレスを入力してください。リンクをお送りします。',
  sendLink: 'リンクを送信',
  linkSent:
    'このアドレスのアカウントがある場合は、リンクをお送りしました。届くまで数分かかることがあります。',
  backToSignIn: 'ログインに戻る',
  resetTitle: '新しいパスワードを設定',
  resetEffect: 'すべての端末からログアウトされます。',
  changePassword: 'パスワードを変更',
  passwordChanged: 'パスワードを変更しました',
  passwordChangedEffect:
    'すべてのセッションを終了しました。新しいパスワードでログインしてください。',
  linkUnusable: 'このリンクは使えません',
  linkUnusableEffect: 'すでに使用されたか、有効期限が切れています。新しいリンクを取得できます。',

  secureTitle: 'アカウントを保護',
  secureLead:
    'メールでお知らせしたログインにお心当たりがない場合は、ほかの人にパスワードを知られています。今すぐアカウントを保護してください。',
  secureSignsOut: 'すべての端末とアプリからログアウトします。',
  secureDeletesKeys: 'すべての API キーを削除します。',
  secureEndsPassword: '現在のパスワードを無効にします。',
  secureSendsMail: '新しいパスワードを設定するためのメールをお送りします。',
  secureButton: 'アカウントを保護する',
  secureOwn: '自分のログインです',
  securedTitle: 'アカウントを保護しました',
  securedEffect:
    'すべてのセッションを終了し、パスワードを無効にしました。新しいパスワードを設定するためのメールをお送りしました。メールのリンクは 1 時間使えます。',
  secureUnusable:
    'すでに使われたか、期限が切れています。ほかの人にパスワードを知られている場合は、新しいパスワードを設定するためのリンクをお送りします。',

  verifyTitle: 'メールアドレスの確認',
  verifyEffect: (email) =>
    `${email} がご自身のものであることを確認するため、アカウントのパスワードを入力してください。`,
  verifySignedIn: (email) => `${email} がご自身のメールアドレスであることを確認してください。`,
  verifyOtherwise: 'パスワードを設定していない、または忘れた場合',
  verifyWithNew: 'パスワードを設定して確認',
  verifyAsk: '新しいリンクを受け取るには、メールアドレスを入力してください。',
  verified: 'メールアドレスを確認しました',
  verifiedEffect: 'アプリに戻るか、ここでログインしてください。',

  owedTitle: '新しいパスワードを設定',
  owedEffect: '続けるにはパスワードの変更が必要です。',
  savePassword: '保存して続ける',

  consentTitle: (app) => `${app} がアカウントへのアクセスを求めています`,
  consentScopes: 'このアプリに許可される操作：',
  consentAlready: 'すでに許可されている操作：',
  consentReturn: (host) => `${host} に戻ります。`,
  consentProgram: 'この端末のプログラムに戻ります。ご自身で起動した場合のみ続けてください。',
  allow: '許可する',
  deny: '許可しない',
  scopes: {
    openid: 'あなたを識別する',
    profile: '氏名とユーザー名を見る',
    email: 'メールアドレスを見る',
    offline_access: '使用していない間も接続を維持する',
    account: 'アカウントを見て変更する',
    admin: 'このサーバーを管理する',
  },
  scopeNamed: (scope) => `あなたに代わって「${scope}」を使う`,
  policy: 'プライバシーポリシー',
  terms: '利用規約',

  signOut: 'ログアウト',
  signOutOf: (app) => `${app} からログアウトしますか？`,
  signOutQuestion: 'ログアウトしますか？',
  signOutEffect:
    'このブラウザで開いたすべてのアプリからログアウトします。接続の維持を許可したアプリは除きます。',
  signedOut: 'ログアウトしました',
  signedOutEffect:
    'このブラウザで開いたアプリからもログアウトしました。接続の維持を許可したアプリは除きます。',
  signInAgain: 'もう一度ログイン',

  homeWelcome: 'あなたのアカウント',
  homeSignedOut: 'ログインするとアカウントとアプリが表示されます。',
  homeApps: 'アプリ',
  startTitle: 'はじめに',
  startSignIn: 'サーバーの初回起動時に表示された管理者アカウントでログインします。',
  startClient: 'アプリを接続します。コマンドラインでクライアントを作成してください。',
  startDocs: 'APIについて読み、試してみましょう。',
  apiReference: 'APIリファレンス',

  errorTitle: '問題が発生しました',
  errorUnknownClient: 'このリンクは、ここで認識されているアプリのものではありません。',
  errorRedirect:
    'アプリから、登録されていないアドレスが送信されました。そのため、アプリに戻ることができません。',
  errorRequest:
    'このリクエストは受け付けられませんでした。アプリに戻って最初からやり直してください。',
  errorTooMany: '試行回数が多すぎます。',
  errorTooManyUntil: (minutes) =>
    minutes <= 1 ? '1分後にもう一度お試しください。' : `${minutes}分後にもう一度お試しください。`,
  errorUnavailable: 'サーバーが応答できません。しばらくしてからもう一度お試しください。',
  errorServer: 'サーバーでエラーが発生しました。時間をおいてもう一度お試しください。',
  notFoundTitle: 'ページが見つかりません',
  errorNotFound: 'このアドレスにページはありません。',
  errorOrigin: 'フォームが別のサイトから送信されました。ページを開き直してください。',
  requestNumber: (id) => `リクエスト番号：${id}`,
  startAgainAt: (app) => `${app} でやり直す`,
  toStart: 'トップページへ',
} satisfies Messages
