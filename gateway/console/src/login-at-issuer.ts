/**
 * Login at an OpenID issuer: authorization code with PKCE, as a public client.
 *
 * 1. What must be remembered between the two addresses is kept in sessionStorage, and is gone after one use.
 * 2. Whoever is in the middle of work logs in in a window of its own, which hands the token to the one that opened it and closes.
 */
import { LoginRefused, login } from './session.ts';

interface Settings {
  readonly issuer: string;
  readonly clientId: string;
  readonly scope: string;
  readonly resource?: string;
}

interface Pending {
  readonly verifier: string;
  readonly state: string;
  /** Where to go on. */
  readonly address: string;
}

const KEY = 'tidemark.login';
/** The query with which the window for a login begins. */
const BEGIN = '?begin';

/** What such a window says to the one that opened it. */
interface Handed {
  readonly tidemarkToken: string;
}

/** @returns nothing where people paste a token */
export async function loginSettings(): Promise<Settings | undefined> {
  const response = await fetch('/console/config');
  const { login: settings } = (await response.json()) as { login: Settings | null };
  return settings ?? undefined;
}

const redirectUri = () => `${location.origin}/login`;

/** Leaves for the issuer's page. @throws LoginRefused where the issuer cannot be used */
export async function beginLogin(settings: Settings): Promise<void> {
  const { oauth, server, client } = await issuerOf(settings);
  const pending: Pending = {
    verifier: oauth.generateRandomCodeVerifier(),
    state: oauth.generateRandomState(),
    address: location.pathname === '/login' ? '/' : location.pathname + location.search,
  };
  sessionStorage.setItem(KEY, JSON.stringify(pending));
  const address = new URL(server.authorization_endpoint ?? '');
  const parameters = {
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: redirectUri(),
    scope: settings.scope,
    state: pending.state,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: 'S256',
    // RFC 8707 calls it resource; some issuers call it audience.
    ...(settings.resource && { resource: settings.resource, audience: settings.resource }),
  };
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  location.assign(address);
}

/**
 * Logs in in a window of its own, so that the page stays as it is. Must be called by a click, or the browser lets none open.
 *
 * @throws LoginRefused when the window was closed, or could not be opened
 */
export async function loginBeside(): Promise<void> {
  const opened = window.open(`/login${BEGIN}`, '', 'popup,width=520,height=680');
  if (!opened) throw new LoginRefused('The browser lets no window open for the login; paste a token, or allow it.');
  const token = await new Promise<string>((resolve, reject) => {
    const watch = setInterval(
      () => opened.closed && end(() => reject(new LoginRefused('The window was closed.'))),
      500,
    );
    const listen = ({ origin, source, data }: MessageEvent) => {
      if (origin !== location.origin || source !== opened) return;
      const { tidemarkToken } = data as Partial<Handed>;
      if (typeof tidemarkToken === 'string') end(() => resolve(tidemarkToken));
    };
    const end = (how: () => void) => {
      clearInterval(watch);
      removeEventListener('message', listen);
      how();
    };
    addEventListener('message', listen);
  });
  await login(token);
}

/** Whether this address belongs to a login at the issuer: its beginning in a window of its own, or the way back. */
export function isLogin(address: Pick<Location, 'pathname' | 'search'>): boolean {
  return address.pathname === '/login' && address.search !== '';
}

/** Does what the address of a login asks for. @throws LoginRefused */
export async function continueLogin(): Promise<void> {
  if (location.search !== BEGIN) return finishLogin();
  const settings = await loginSettings();
  if (settings) await beginLogin(settings);
}

/** Comes back from there: makes a token of the code, and goes on where the login began. @throws LoginRefused */
async function finishLogin(): Promise<void> {
  const settings = await loginSettings();
  const remembered = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  const answer = new URL(location.href);
  const pending = remembered === null ? undefined : (JSON.parse(remembered) as Pending);
  history.replaceState(null, '', pending?.address ?? '/');
  dispatchEvent(new PopStateEvent('popstate'));
  if (!settings || !pending) throw new LoginRefused('This login was not begun here; please begin anew.');
  const { oauth, server, client, options } = await issuerOf(settings);
  try {
    const code = oauth.validateAuthResponse(server, client, answer, pending.state);
    const resource = settings.resource ? { additionalParameters: { resource: settings.resource } } : {};
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      oauth.None(),
      code,
      redirectUri(),
      pending.verifier,
      { ...options, ...resource },
    );
    const { access_token: token } = await oauth.processAuthorizationCodeResponse(server, client, response);
    await login(token);
    if (window.opener) {
      const handed: Handed = { tidemarkToken: token };
      (window.opener as Window).postMessage(handed, location.origin);
      window.close();
    }
  } catch (error) {
    if (error instanceof LoginRefused) throw error;
    const { error_description: why, message } = error as Error & { error_description?: string };
    throw new LoginRefused(`The issuer did not let you in: ${why ?? message}`);
  }
}

/** The library and what the issuer says of itself; neither is loaded before somebody logs in there. */
async function issuerOf({ issuer, clientId }: Settings) {
  const oauth = await import('oauth4webapi');
  const url = new URL(issuer);
  // An issuer on this machine may speak plain HTTP, as for the gateway.
  const options = { [oauth.allowInsecureRequests]: url.protocol === 'http:' };
  try {
    const response = await oauth.discoveryRequest(url, options);
    const server = await oauth.processDiscoveryResponse(url, response);
    return { oauth, server, client: { client_id: clientId }, options };
  } catch (error) {
    throw new LoginRefused(`The issuer ${issuer} cannot be used: ${(error as Error).message}`);
  }
}
