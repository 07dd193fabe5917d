/** Addresses of the form `host:port`, an IPv6 address in brackets. */
export interface HostPort {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

const MAX_PORT = 65_535;

/** @returns undefined for what has another form, such as a peer id */
export function hostPortOf(address: string): HostPort | undefined {
  const [, host, digits] = /^(\[[^[\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(address) ?? [];
  if (host === undefined || digits === undefined || Number(digits) > MAX_PORT) return undefined;
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port: Number(digits) };
}
