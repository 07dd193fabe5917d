/**
 * The configuration of one node: a JSON file, then the environment, then flags, each over the one before, checked by
 * one schema. Unknown keys are refused by name, because a misspelt setting that is silently ignored is found at the
 * worst time.
 */
import { dirname, join, resolve } from 'node:path';
import { codedError } from '../base/result.ts';
import { environmentOverlay, type ConfigWarning } from './config-environment.ts';
import { configSchema, type ConfigOverlay, type ParsedConfig } from './config-schema.ts';
import { readTextFile } from './text-file.ts';

/** Checked and complete; every path absolute. */
export interface NodeConfig extends Readonly<Omit<ParsedConfig, 'blsKeyFile' | 'identityKeyHex'>> {
  readonly role: 'validator' | 'observer';
  readonly identityKeyHex: string | null;
  readonly blsKeyFile: string | null;
  /** Unix-domain socket of the control endpoint. */
  readonly controlSocket: string;
  /** Where this node tells others on this machine how to dial it. */
  readonly addressFile: string;
}

export interface ConfigSources {
  /** Path of the JSON file; undefined when all comes from the environment and flags. */
  readonly file: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: ConfigOverlay;
  /** Where relative paths in the environment and in flags start; those in the file start at the file. */
  readonly directory: string;
}

export interface LoadedConfig {
  readonly config: NodeConfig;
  readonly warnings: readonly ConfigWarning[];
}

/**
 * @throws CodedError `config-not-found`, `file-unusable`, `config-not-json`, `config-unknown-key`, `config-invalid`
 */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const fromFile = sources.file === undefined ? {} : await readConfigFile(resolve(sources.directory, sources.file));
  const environment = environmentOverlay(sources.environment);
  const layers = [fromFile, environment.overlay, sources.flags].map((layer, index) =>
    index === 0 ? layer : absolutePaths(layer as Record<string, unknown>, sources.directory),
  );
  const config = complete(parseConfig(layers.reduce(overlaid, {}), sources.file));
  return { config, warnings: environment.warnings };
}

/** Checks a configuration whose paths are absolute already. @throws CodedError as `loadConfig` does */
export function parseConfig(value: unknown, file?: string): ParsedConfig {
  const parsed = configSchema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = file ?? 'environment and flags';
  if (issue?.code === 'unrecognized_keys') {
    const key = [...issue.path, issue.keys[0]].join('.');
    throw codedError(
      'config-unknown-key',
      `the configuration has no setting "${key}"; remove it, or see docs/configuration.md for the name meant`,
      { key, file: where },
    );
  }
  const path = issue?.path.join('.') ?? '';
  const missing = issue?.code === 'invalid_type' && issue.input === undefined;
  const reason = missing ? 'is missing' : (issue?.message ?? 'is not valid');
  throw codedError('config-invalid', `the setting "${path}" ${reason}`, { key: path, file: where });
}

async function readConfigFile(path: string): Promise<unknown> {
  const content = await readTextFile(path, {
    code: 'config-not-found',
    message: `there is no configuration ${path}; "hotledger init" makes one`,
    details: { path },
  });
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    throw codedError('config-not-json', `${path} is not JSON: ${(error as Error).message}`, { path }, { cause: error });
  }
  return isPlainObject(value) ? absolutePaths(value, dirname(path)) : value;
}

const PATH_KEYS = ['genesis', 'dataDirectory', 'identityKeyFile', 'blsKeyFile'];

function absolutePaths(layer: Record<string, unknown>, directory: string): Record<string, unknown> {
  const absolute: Record<string, unknown> = { ...layer };
  for (const key of PATH_KEYS) absolute[key] = absolutePath(layer[key], directory);
  const files = layer['addressFiles'];
  if (Array.isArray(files)) absolute['addressFiles'] = files.map((file: unknown) => absolutePath(file, directory));
  const logging = layer['log'];
  if (isPlainObject(logging)) absolute['log'] = { ...logging, file: absolutePath(logging['file'], directory) };
  return absolute;
}

function absolutePath(value: unknown, directory: string): unknown {
  return typeof value === 'string' ? resolve(directory, value) : value;
}

/** The upper layer's settings over the lower's; sections merge, lists and values replace. */
function overlaid(lower: unknown, upper: unknown): unknown {
  if (!isPlainObject(lower) || !isPlainObject(upper)) return upper === undefined ? lower : upper;
  const merged: Record<string, unknown> = { ...lower };
  for (const [key, value] of Object.entries(upper)) {
    const result = overlaid(merged[key], value);
    if (result !== undefined) merged[key] = result;
  }
  return merged;
}

function complete(parsed: ParsedConfig): NodeConfig {
  const { blsKeyFile, identityKeyHex, ...rest } = parsed;
  return {
    ...rest,
    // A default has no file or directory to start from but the data directory's parent, where `init` puts the keys.
    identityKeyFile: resolve(dirname(parsed.dataDirectory), parsed.identityKeyFile),
    identityKeyHex: identityKeyHex ?? null,
    blsKeyFile: blsKeyFile ?? null,
    role: blsKeyFile === undefined ? 'observer' : 'validator',
    controlSocket: join(parsed.dataDirectory, 'control.sock'),
    addressFile: join(parsed.dataDirectory, 'addresses.json'),
  };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
