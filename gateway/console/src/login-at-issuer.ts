/**
 * Login at an OpenID issuer: authorization code with PKCE, as a public client. What must be remembered between the two addresses is kept
 * in sessionStorage, and is gone after one use.
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

/** Comes back from there: makes a token of the code, and goes on where the login began. @throws LoginRefused */
export async function finishLogin(): Promise<void> {
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
