import { isOurs, version } from './contenders.mjs';

/** Largest difference from our numbers; with a larger one, the engine computes something else. */
const tolerance = 1e-3;

export const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Returns the largest difference between two runs' outputs; NaN if one contains NaN. */
function difference(outputs, reference) {
  let largest = 0;
  for (const [pass, output] of outputs.slice(0, reference.length).entries()) {
    if (output.length !== reference[pass].length) return Number.NaN;
    for (const [i, value] of output.entries()) {
      const distance = Math.abs(value - reference[pass][i]);
      if (!(distance <= largest)) largest = distance;
    }
  }
  return largest;
}

/** Formats rows under a header as Markdown, with its columns lined up. */
function markdown(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) =>
    `| ${row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i < 2 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n');
}

/** Returns NaN without values. */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const number = (value, digits) => (value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits));
const milliseconds = (seconds) => number(seconds * 1000, seconds < 0.1 ? 1 : 0);

function printTable(rows, wrong, failures) {
  console.log(`\n${markdown(rows)}`);
  if (wrong.length) console.log(`\nWrong (more than ${tolerance} from ours): ${wrong.join(', ')}.`);
  for (const [{ engine, backend }, error] of failures) console.log(`\n${engine} on ${backend} failed: ${error}`);
}

/** Prints the rounds of engines that were loaded anew in each: contender → its rounds. */
export function reportApart(results, failures, packages) {
  const [base] = results.values();
  const reference = base[0].outputs;
  const header = ['engine', 'backend', 'version', 'load s', 'first pass s', 'warm pass s', 'ratio to ours'];
  const rows = [[...header, 'CPU s a pass', 'CPU ratio', 'max difference', 'held MB', 'peak MB', 'code MB, gzip']];
  const wrong = [];
  for (const [contender, runs] of results) {
    const { engine, backend } = contender;
    const of = (name) => median(runs.map((run) => run[name]));
    // Ratios are taken round by round, because the load of the machine differs from round to round.
    const ratio = (name) => median(runs.map((run, round) => run[name] / base[round][name]));
    const off = Math.max(...runs.map(({ outputs }) => difference(outputs, reference)));
    const right = off <= tolerance;
    if (!right) wrong.push(`${engine} on ${backend}`);
    rows.push([
      engine,
      backend,
      version(contender, packages),
      of('load').toFixed(2),
      of('first').toFixed(2),
      of('warm').toFixed(2),
      right ? ratio('warm').toFixed(2) : 'wrong',
      number(of('processor'), 2),
      right ? number(runs[0].processor && ratio('processor'), 2) : 'wrong',
      isOurs(contender) ? '0' : off.toExponential(1),
      number(runs[0].held && of('held'), 0),
      number(runs[0].peak && of('peak'), 0),
      number(runs[0].downloaded && of('downloaded') / 1e6, 2),
    ]);
  }
  printTable(rows, wrong, failures);
}

/** Says how our pass and our edit compare with the fastest of the others. */
function summary(results, right) {
  const [[ours, { passes, edits, processor }], ...others] = results;
  const compared = others.filter(([contender]) => right.has(contender));
  if (compared.length === 0) return;
  const [{ engine }, best] = compared.reduce((a, b) => (median(b[1].passes) < median(a[1].passes) ? b : a));
  const share = (times, of) => median(times.map((seconds, round) => seconds / of[round])).toFixed(3);
  const byProcessor =
    processor.length > 0 ? ` (${number(mean(processor) / mean(best.processor), 3)} × by processor time)` : '';
  console.log(
    `\n${ours.engine} takes ${share(passes, best.passes)} × the time of ${engine}, the fastest other${byProcessor}.`,
  );
  if (edits.length > 0)
    console.log(
      `Rows up to EOS after an edit of the last of 20 tokens: ${milliseconds(median(edits))} ms, ${share(edits, best.passes)} × that pass and ${share(edits, passes)} × our own.`,
    );
}

/** Prints the rounds of engines that were all loaded: contender → times of its passes. */
export function reportTogether(results, failures, packages) {
  const [base] = results.values();
  const header = ['engine', 'backend', 'version', 'load s', 'first ms', 'pass ms', 'least ms', 'ratio to ours'];
  const rows = [[...header, 'CPU ms a pass', 'CPU ratio', 'max difference', 'held MB', 'peak MB', 'code MB, gzip']];
  const wrong = [];
  const right = new Set();
  for (const [contender, result] of results) {
    const { engine, backend } = contender;
    const { load, first, passes, processor, outputs, held, peak, downloaded } = result;
    const off = difference(outputs, base.outputs);
    if (off <= tolerance) right.add(contender);
    else wrong.push(`${engine} on ${backend}`);
    const ratio = median(passes.map((seconds, round) => seconds / base.passes[round]));
    rows.push([
      engine,
      backend,
      version(contender, packages),
      load.toFixed(2),
      milliseconds(first),
      milliseconds(median(passes)),
      milliseconds(Math.min(...passes)),
      right.has(contender) ? ratio.toFixed(2) : 'wrong',
      milliseconds(mean(processor)),
      right.has(contender) ? number(mean(processor) / mean(base.processor), 2) : 'wrong',
      isOurs(contender) ? '0' : off.toExponential(1),
      number(held, 0),
      number(peak, 0),
      number(downloaded && downloaded / 1e6, 3),
    ]);
  }
  printTable(rows, wrong, failures);
  summary(results, right);
}
