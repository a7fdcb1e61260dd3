/** How people log in at an issuer: the console is a public client there, and has no secret. */
export interface ConsoleLogin {
  readonly issuer: string;
  readonly clientId: string;
  /** Separated by blanks. */
  readonly scope: string;
  /** What the token is asked for, where the issuer wants that said. */
  readonly resource?: string | undefined;
}
