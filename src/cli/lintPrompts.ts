import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { openTokenizer } from '../package/tokens.ts';
import type { Diagnostic, Severity } from '../prompt/ast.ts';
import { type Syntax, syntaxes } from '../prompt/syntax.ts';
import { defaultOptions, type PromptOptions } from '../road/options.ts';
import { preparePrompt } from '../road/pipeline.ts';
import type { Tokenizer } from '../tokens/tokenizer.ts';
import { ownMethod } from '../weighting/methods.ts';
import { type ListedPrompt, linePlaces, listedPrompts, listKind } from './promptLists.ts';

const formats = ['text', 'github', 'json'] as const;
type Format = (typeof formats)[number];
const severities = ['error', 'warning', 'info'] as const satisfies readonly Severity[];

const usage = `Lints prompts in files: says what a program ignores, cuts off or reads otherwise than it may be meant.

  npm run lint-prompts -- FILES [options]        (with the package: npx clipscope-lint FILES [options])

  FILES               files, folders (their .txt and .csv files, at any depth), or - for standard input. A file is one of
                      A1111's styles (a .csv with a head of name, prompt, negative_prompt), an infotext (the text that A1111
                      saves beside a picture), or a prompt a line: a list of prompts or a wildcard file, and lines of
                      options as A1111's "Prompts from file" takes them (--prompt "…" --negative_prompt "…")
  --whole             each file is one prompt, of any number of lines
  --language NAME     ${syntaxes.join(', ')} (default ${defaultOptions.syntax})
  --format FORMAT     text (file:line:column: severity: message), github (annotations of a GitHub workflow), or json (an
                      object a line) (default text)
  --fail-on SEVERITY  the least severity, of ${severities.join(', ')}, that makes the exit code 1 (default warning)

The exit code is 0 where nothing is found that counts, 1 where something is, and 2 where a file could not be read.
Lines and columns count from 1, columns in UTF-16 units.
`;

/** The person can correct the mistake; the message is one sentence. */
class UsageError extends Error {}

/** A finding and where it is. */
interface Finding {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  readonly severity: Severity;
  readonly code: string;
  readonly message: string;
}

interface Request {
  readonly paths: readonly string[];
  readonly isWhole: boolean;
  readonly language: Syntax;
  readonly format: Format;
  readonly failOn: Severity;
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const chosen = allowed.find((candidate) => candidate === value);
  if (chosen === undefined) throw new UsageError(`--${option} is one of ${allowed.join(', ')}, not "${value}".`);
  return chosen;
}

/** Reads the command line; undefined if help was asked for. Throws UsageError. */
function readArguments(args: readonly string[]): Request | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = { language: text, format: text, 'fail-on': text, whole: flag, help: { ...flag, short: 'h' } };
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/\.\s|\n/)[0].replace(/\.$/, '')}; see --help.`);
  }
  const { values, positionals: paths } = parsed;
  if (values.help) return undefined;
  if (paths.length === 0) throw new UsageError('There is no file; name files, folders, or - for standard input.');
  return {
    paths,
    isWhole: values.whole,
    language: oneOf('language', values.language ?? defaultOptions.syntax, syntaxes),
    format: oneOf('format', values.format ?? 'text', formats),
    failOn: oneOf('fail-on', values['fail-on'] ?? 'warning', severities),
  };
}

/** A path that cannot be read, and why. */
const unreadable = (path: string, error: unknown) =>
  new UsageError(`"${path}" could not be read: ${(error as Error).message.split(',')[0]}.`);

/** Reads a folder; `complain` hears why it cannot be read. */
function entriesOf(folder: string, complain: (error: UsageError) => void) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    complain(unreadable(folder, error));
    return [];
  }
}

/**
 * Lists the files below a path: itself, or those of a folder that may hold prompts, in the order of their names. `complain` hears of
 * folders that cannot be read. Throws UsageError.
 */
function filesOf(path: string, complain: (error: UsageError) => void): string[] {
  const stat = path === '-' ? undefined : statSync(path, { throwIfNoEntry: false });
  if (path !== '-' && !stat) throw new UsageError(`"${path}" does not exist.`);
  if (!stat?.isDirectory()) return [path];
  return entriesOf(path, complain)
    .filter(({ name }) => !name.startsWith('.') && name !== 'node_modules')
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) return filesOf(inside, complain);
      return /\.(?:txt|csv)$/i.test(entry.name) ? [inside] : [];
    });
}

/** The most bytes of a file: some ten thousand prompts. */
const longestFile = 1 << 22;

/** Reads a file's text, or standard input. Throws UsageError. */
async function readText(file: string): Promise<string> {
  if (file === '-') return readAll(process.stdin);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw unreadable(file, error);
  }
  if (bytes.length > longestFile) throw new UsageError(`"${file}" has more than 4 MB; split it into several files.`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError(`"${file}" is no text in UTF-8; save it as UTF-8.`);
  }
}

/** Lints the prompts of one file. Throws UsageError. */
async function lintFile(file: string, { isWhole, language }: Request, tokenizer: Tokenizer): Promise<Finding[]> {
  const text = await readText(file);
  const options: PromptOptions = { ...defaultOptions, syntax: language, weighting: ownMethod[language] };
  const placeOf = linePlaces(text);
  const found = (prompt: ListedPrompt, { start, end, severity, code, message }: Diagnostic): Finding => {
    const { line, column } = placeOf(prompt.places[start]);
    const last = placeOf(prompt.places[end]);
    const name = file === '-' ? 'stdin' : file;
    return { file: name, line, column, endLine: last.line, endColumn: last.column, severity, code, message };
  };
  return listedPrompts(text, isWhole ? 'whole' : listKind(text)).flatMap((prompt) =>
    preparePrompt(prompt.text, options, tokenizer, prompt.side).diagnostics.map((one) => found(prompt, one)),
  );
}

/** Escapes what ends a command or a property of a workflow command. */
const escaped = (text: string) => text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
const escapedProperty = (text: string) => escaped(text).replace(/:/g, '%3A').replace(/,/g, '%2C');
const commands: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', info: 'notice' };

const writers: Readonly<Record<Format, (finding: Finding) => string>> = {
  text: ({ file, line, column, severity, code, message }) =>
    `${file}:${line}:${column}: ${severity}: ${message} (${code})`,
  github({ file, line, column, endLine, endColumn, severity, code, message }) {
    // An annotation of one line may name its columns, and its last column is within it.
    const columns = line === endLine ? `,col=${column},endColumn=${Math.max(column, endColumn - 1)}` : '';
    const place = `file=${escapedProperty(file)},line=${line},endLine=${endLine}${columns}`;
    return `::${commands[severity]} ${place},title=${escapedProperty(code)}::${escaped(message)}`;
  },
  json: (finding) => JSON.stringify(finding),
};

async function run(request: Request): Promise<number> {
  const tokenizer = await openTokenizer();
  const counts: Record<Severity, number> = { error: 0, warning: 0, info: 0 };
  let unread = 0;
  const complain = ({ message }: UsageError) => {
    unread++;
    console.error(message);
  };
  const files = request.paths.flatMap((path) => filesOf(path, complain));
  for (const file of files)
    try {
      for (const finding of await lintFile(file, request, tokenizer)) {
        counts[finding.severity]++;
        console.log(writers[request.format](finding));
      }
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      complain(error);
    }
  if (request.format === 'text') {
    const counted = severities.map((severity) => `${counts[severity]} ${severity}`).join(', ');
    console.log(`${files.length} ${files.length === 1 ? 'file' : 'files'}: ${counted}.`);
  }
  if (unread > 0) return 2;
  const counting = severities.slice(0, severities.indexOf(request.failOn) + 1);
  return counting.some((severity) => counts[severity] > 0) ? 1 : 0;
}

/** Returns the exit code of `npm run lint-prompts`. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const request = readArguments(args);
    if (request) return await run(request);
    console.log(usage);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 2;
  }
}
