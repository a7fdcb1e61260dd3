/** Test support: a real OpenID issuer on this machine, whose keys can be changed and which can go away. */
import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import Provider from 'oidc-provider';
import type { IssuerConfig } from '../identity/issuer.ts';

export const AUDIENCE = 'https://tidemark.example';
const CLIENT = 'ci';
const SECRET = 'secret-of-ci';
const CLAIMS = 'x-test-claims';

export interface TestIssuer extends AsyncDisposable {
  readonly config: IssuerConfig;
  /** A token as a client of the issuer gets it, with these claims beside the usual ones. */
  issue(claims: object): Promise<string>;
  /** From now on people may log in to the console, which comes back to that address; what they log in with does not matter. */
  letPeopleIn(console: ConsoleClient): void;
  /** A token signed with the issuer's key that the issuer would not give. */
  sign(claims: JWTPayload): Promise<string>;
  /** From now on the issuer has another key, and the one before is void. */
  rotate(): Promise<void>;
  /** Answers every request with a 500, never, without an end, or again as it should. */
  breakDown(how: 'errors' | 'silence' | 'no end' | 'not at all'): void;
  /** Paths that were asked for. */
  readonly asked: string[];
}

/** The console as a public client of the issuer. */
export interface ConsoleClient {
  readonly clientId: string;
  readonly redirectUri: string;
  /** Of the tokens that people get. */
  readonly claims: object;
}

export async function startTestIssuer(): Promise<TestIssuer> {
  let listener: RequestListener = () => undefined;
  let broken: Parameters<TestIssuer['breakDown']>[0] = 'not at all';
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (broken === 'errors') response.writeHead(500).end('{}');
    else if (broken === 'no end') sendForEver(response);
    else if (broken === 'not at all') listener(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let key: { readonly kid: string; readonly privateKey: CryptoKey };
  let count = 0;
  let jwk: object = {};
  let people: ConsoleClient | undefined;
  const serve = () => {
    listener = new Provider(issuer, settings(jwk, people)).callback();
  };

  const rotate = async (): Promise<void> => {
    count += 1;
    const kid = `key-${count}`;
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    key = { kid, privateKey };
    jwk = { ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' };
    serve();
  };
  await rotate();
  return {
    config: {
      issuer,
      audience: AUDIENCE,
      roleClaim: 'tidemark_role',
      clustersClaim: 'tidemark_clusters',
      labelsClaim: 'tidemark_labels',
    },
    asked,
    rotate,
    letPeopleIn(console) {
      people = console;
      serve();
    },
    breakDown(how) {
      broken = how;
    },
    async issue(claims) {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa(`${CLIENT}:${SECRET}`)}`,
          'content-type': 'application/x-www-form-urlencoded',
          [CLAIMS]: encodeURIComponent(JSON.stringify(claims)),
        },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource: AUDIENCE }),
      });
      const { access_token: token, ...rest } = (await response.json()) as { access_token?: string };
      if (token === undefined) throw new Error(`the issuer gave no token: ${JSON.stringify(rest)}`);
      return token;
    },
    sign: (claims) =>
      new SignJWT({ iss: issuer, aud: AUDIENCE, sub: 'someone', exp: Math.floor(Date.now() / 1000) + 600, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: key.kid })
        .sign(key.privateKey),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function sendForEver(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const more = setInterval(() => response.write(' '.repeat(100_000)), 1);
  response.on('close', () => clearInterval(more));
}

function settings(jwk: object, people: ConsoleClient | undefined): object {
  return {
    clients: [
      {
        client_id: CLIENT,
        client_secret: SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        // The issuer wants its defaults to fit its keys.
        id_token_signed_response_alg: 'ES256',
      },
      ...(people
        ? [
            {
              client_id: people.clientId,
              token_endpoint_auth_method: 'none',
              grant_types: ['authorization_code'],
              response_types: ['code'],
              redirect_uris: [people.redirectUri],
              id_token_signed_response_alg: 'ES256',
            },
          ]
        : []),
    ],
    clientBasedCORS: () => people !== undefined,
    jwks: { keys: [jwk] },
    features: {
      devInteractions: { enabled: people !== undefined },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: '',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    extraTokenClaims: (context: { get(header: string): string }) =>
      context.get(CLAIMS) ? JSON.parse(decodeURIComponent(context.get(CLAIMS))) : (people?.claims ?? {}),
  };
}
