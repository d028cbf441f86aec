import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fileSource } from '../cli/fileSource.ts';
import { openTensorFile } from '../files/openTensorFile.ts';
import { textEncoder } from '../models/openCheckpoint.ts';
import { openTokenizer } from '../package/tokens.ts';
import { type ConformanceCase, conformanceKinds, conformancePrograms } from './cases.ts';
import { startCommand } from './commandAnswers.ts';
import { ownAnswers } from './ownAnswers.ts';
import { recordedModel } from './recordedModel.ts';
import { type ConformanceScore, type Implementation, runConformance } from './score.ts';

const usage = `Tests an implementation of A1111's, Compel's or ComfyUI's prompts, or of CLIP's tokenizers, against recordings of the originals.

  npx clipscope-conformance --command "python mine.py" [options]

  --command COMMAND   runs it once; it reads requests from standard input and writes answers, a line of JSON each
  --silence SECONDS   after as long without a line the command is ended, and what it has not answered is wrong (default 60)
  --own               tests clipscope itself instead
  --program NAME      ${conformancePrograms.join(', ')}; again for another (default: all)
  --kind NAME         ${conformanceKinds.join(', ')}; again for another (default: all)
  --failures N        how many wrong answers to show (default 5)
  --json              print the score as JSON, with all wrong answers

A request is {"id": "a1111/parse/17", "program": "a1111", "kind": "parse", "input": {"prompt": "a (red:1.3) car"}}, and an answer
{"id": "a1111/parse/17", "result": [["a ", 1], ["red", 1.3], [" car", 1]]}, or with "skip" in the place of "result" for what the
implementation does not do. The exit code is 0 where no answer is wrong, 1 where one is, and 2 where nothing could be tested.
`;

/** The person can correct the mistake; the message is one sentence. */
class UsageError extends Error {}

interface Request {
  readonly command?: string;
  readonly cases: readonly ConformanceCase[];
  readonly failures: number;
  /** In seconds. */
  readonly silence: number;
  readonly json: boolean;
}

/** Reads the command line; undefined if help was asked for. Throws UsageError. */
function readArguments(args: readonly string[], all: readonly ConformanceCase[]): Request | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const list = { ...text, multiple: true, default: [] as string[] } as const;
  const options = {
    command: text,
    silence: text,
    own: flag,
    program: list,
    kind: list,
    failures: text,
    json: flag,
  } as const;
  let values: ReturnType<typeof parse>;
  const parse = () => parseArgs({ args: [...args], options: { ...options, help: { ...flag, short: 'h' } } }).values;
  try {
    values = parse();
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(/\.\s|\n/)[0].replace(/\.$/, '')}; see --help.`);
  }
  if (values.help) return undefined;
  if ((values.command === undefined) === !values.own)
    throw new UsageError('Give the implementation by --command, or --own for clipscope itself; see --help.');
  const chosen = (option: 'program' | 'kind', allowed: readonly string[]) => {
    const unknown = values[option].find((name) => !allowed.includes(name));
    if (unknown !== undefined) throw new UsageError(`--${option} is one of ${allowed.join(', ')}, not "${unknown}".`);
    return values[option].length > 0 ? values[option] : allowed;
  };
  const programs = chosen('program', conformancePrograms);
  const kinds = chosen('kind', conformanceKinds);
  const cases = all.filter(({ program, kind }) => programs.includes(program) && kinds.includes(kind));
  if (cases.length === 0) throw new UsageError('There is no case of this program and kind.');
  const failures = Number(values.failures ?? 5);
  if (!Number.isInteger(failures) || failures < 0)
    throw new UsageError(`--failures is a whole number, not "${values.failures}".`);
  const silence = Number(values.silence ?? 60);
  if (!(silence > 0 && silence <= 86_400))
    throw new UsageError(`--silence is a number of seconds up to 86400, not "${values.silence}".`);
  return {
    cases,
    failures,
    silence,
    json: values.json,
    ...(values.command !== undefined && { command: values.command }),
  };
}

/** Runs the cases, with the recorded model in a file of its own where one of them needs it. */
async function run({ command, cases, silence }: Request): Promise<{ score: ConformanceScore; stray: string | null }> {
  const folder = mkdtempSync(join(tmpdir(), 'clipscope-'));
  const started = command === undefined ? undefined : startCommand(command, 1000 * silence);
  try {
    const model = join(folder, 'model.safetensors');
    if (cases.some(({ kind }) => kind === 'weigh')) writeFileSync(model, await recordedModel());
    const implementation: Implementation =
      started?.answer ??
      ownAnswers(await openTokenizer(), async (path) => textEncoder(await openTensorFile(fileSource(path))));
    const scoring = runConformance(cases, implementation, model);
    started?.end();
    return { score: await scoring, stray: started?.strayLine() ?? null };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const shortened = (value: unknown) => {
  const text = JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
};

/** Lines of a table by program and kind, and the wrong answers, of which `most` are shown. */
function report({ kinds, failures, ...all }: ConformanceScore, most: number): string[] {
  const row = (...cells: (string | number)[]) =>
    cells.map((cell, i) => (i < 2 ? String(cell).padEnd(10) : String(cell).padStart(8))).join('');
  return [
    row('program', 'kind', 'right', 'wrong', 'skipped', 'cases'),
    ...kinds.map((one) => row(one.program, one.kind, one.right, one.wrong, one.skipped, one.total)),
    row('all', '', all.right, all.wrong, all.skipped, all.total),
    ...failures
      .slice(0, most)
      .flatMap(({ id, input, expected, answer }) => [
        '',
        `${id}: ${shortened(input)}`,
        `  expected ${shortened(expected)}`,
        `  answered ${'result' in answer ? shortened(answer.result) : `an error: ${answer.error}`}`,
      ]),
    ...(failures.length > most ? ['', `and ${failures.length - most} more wrong answers`] : []),
  ];
}

/** Runs the command line on cases, and returns its exit code. */
export async function runCommandLine(args: readonly string[], cases: readonly ConformanceCase[]): Promise<number> {
  try {
    const request = readArguments(args, cases);
    if (!request) {
      console.log(usage);
      return 0;
    }
    const { score, stray } = await run(request);
    if (stray !== null) console.error(`The command wrote a line that is no answer: ${stray.slice(0, 200)}`);
    if (request.json) console.log(JSON.stringify(score));
    else for (const line of report(score, request.failures)) console.log(line);
    return score.wrong > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return 2;
  }
}
