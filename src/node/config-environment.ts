/**
 * Settings from the environment, under the names that users of masa-oracle know where those still make sense, and under
 * `HOTLEDGER_...` for what is new. Old names without a meaning here are warned of, not refused: the variable may be
 * there for another program.
 */
import type { ConfigOverlay } from './config-schema.ts';

export interface ConfigWarning {
  readonly code: 'setting-retired';
  readonly setting: string;
  readonly message: string;
}

/** Old settings that have no effect here, and what takes their place. Also asked by the flags of the same meaning. */
export const RETIRED_SETTINGS: readonly {
  readonly variable: string;
  readonly flag: string;
  readonly instead: string;
}[] = [
  {
    variable: 'VALIDATOR',
    flag: '--validator',
    instead:
      'a validator is a member of the validator set of the genesis; give its BLS key file (HOTLEDGER_BLS_KEY_FILE)',
  },
  { variable: 'CACHE_PATH', flag: '--cachePath', instead: 'there is one store, in the data directory (MASA_DIR)' },
  { variable: 'ENV', flag: '--env', instead: 'networks are told apart by their genesis file (HOTLEDGER_GENESIS)' },
  { variable: 'UDP', flag: '--udp', instead: 'nodes speak TCP with TLS 1.3' },
  {
    variable: 'API_ENABLED',
    flag: '--api-enabled',
    instead: 'this version has no HTTP API; "hotledger status" and "hotledger get" answer on the machine itself',
  },
  {
    variable: 'API_LISTEN_ADDRESS',
    flag: '--api-port',
    instead: 'this version has no HTTP API; "hotledger status" and "hotledger get" answer on the machine itself',
  },
];

/** Values that switch an old setting off, and so ask for nothing. */
const OFF = new Set(['', 'false', '0', 'no']);

export function environmentOverlay(environment: Readonly<Record<string, string | undefined>>): {
  readonly overlay: ConfigOverlay;
  readonly warnings: readonly ConfigWarning[];
} {
  const read = (name: string): string | undefined => {
    const value = environment[name];
    return value === undefined || value === '' ? undefined : value;
  };
  const home = read('MASA_DIR');
  const port = read('PORT_NBR');
  const overlay: ConfigOverlay = {
    genesis: read('HOTLEDGER_GENESIS'),
    dataDirectory: home === undefined ? undefined : `${home}/data`,
    identityKeyFile: read('MASA_PRIV_KEY_FILE') ?? (home === undefined ? undefined : `${home}/masa_oracle_key`),
    identityKeyHex: read('PRIVATE_KEY'),
    blsKeyFile: read('HOTLEDGER_BLS_KEY_FILE'),
    listen: port === undefined ? undefined : [`/ip4/0.0.0.0/tcp/${port}`],
    bootstrap: listOf(read('BOOTNODES')),
    log: {
      level: read('LOG_LEVEL')?.toLowerCase() as NonNullable<ConfigOverlay['log']>['level'],
      file: read('LOG_FILEPATH'),
    },
  };
  const warnings = RETIRED_SETTINGS.filter(({ variable }) => !OFF.has((environment[variable] ?? '').toLowerCase())).map(
    ({ variable, instead }): ConfigWarning => ({
      code: 'setting-retired',
      setting: variable,
      message: `${variable} has no effect: ${instead}`,
    }),
  );
  return { overlay, warnings };
}

/** BOOTNODES is a comma-separated list. */
function listOf(value: string | undefined): string[] | undefined {
  return value
    ?.split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
