/** The page's Content-Security-Policy; null where it has none, as while it is developed. */
const ownPolicy = (): string | null =>
  document.querySelector<HTMLMetaElement>('meta[http-equiv="Content-Security-Policy"]')?.content ?? null;

/** Whether a source of a policy (`https:`, `https://hf-mirror.com`, `https://*.hf.co`) takes an address in. */
function isOf(source: string, { protocol, origin }: URL): boolean {
  if (source === protocol) return true;
  const [scheme, host] = source.split('//*');
  return host === undefined ? source === origin : origin.startsWith(`${scheme}//`) && origin.endsWith(host);
}

/** Whether a page of this policy, at this origin, may connect to an address. */
export function mayConnect(address: string, policy = ownPolicy(), home = location.origin): boolean {
  if (policy === null) return true;
  const sources = /connect-src ([^;]*)/.exec(policy)?.[1].split(' ') ?? [];
  const url = new URL(address);
  return url.origin === home || sources.some((source) => isOf(source, url));
}

const parameter = '#address=';

/** The address of the page that may connect to any address, with one to download from. */
export const anyAddressPage = (address: string): string => `any-address.html${parameter}${encodeURIComponent(address)}`;

/** Whether that page is there: a host may leave it out. */
export async function isAnyAddressPageThere(): Promise<boolean> {
  const response = await fetch('any-address.html').catch(() => null);
  return response?.ok ?? false;
}

/** The address that such a link brought; null for another part after `#`. */
export function broughtAddress(hash: string): string | null {
  try {
    return hash.startsWith(parameter) ? decodeURIComponent(hash.slice(parameter.length)) : null;
  } catch {
    return null;
  }
}
