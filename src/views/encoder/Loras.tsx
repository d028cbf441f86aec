import type { LayerTensorName } from '../../clip/weights.ts';
import { type LeftOut, lacksSettingsText, unchangedText } from '../../models/leftOut.ts';
import { compelLoraName } from '../../prompt/compel/compelLoraName.ts';
import type { OpenedLora } from '../../state/facts.ts';
import { type LayerEffect, layerEffects } from '../../state/loraActions.ts';
import { loraUsage } from '../../state/reading.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { brief, percent } from '../page/numbers.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './encoder.module.css';

/** Lists the open LoRAs: which parts of the encoder each changes, and by how much. */
export function Loras() {
  const loras = useFacts((s) => s.loras);
  return (
    <ul className={`${styles.downloads} ${styles.loras}`} aria-label="LoRAs">
      {[...loras].map(([name, lora]) => (
        <LoraRow key={name} name={name} lora={lora} />
      ))}
    </ul>
  );
}

function LoraRow({ name, lora: { info, problem } }: { readonly name: string; readonly lora: OpenedLora }) {
  const layers = useFacts((s) => shownConfig(s).numHiddenLayers);
  const canBeNamed = useFacts((s) => s.options.syntax !== 'comfy');
  const multipliers = useFacts((s) => loraUsage(s).get(name));
  const remove = useFacts((s) => s.removeLora);
  const changes = info && info.effects.length > 0;
  return (
    <li>
      <div className={styles.line}>
        <span className={styles.name}>{name}</span>
        {info && (
          <span className={styles.amount}>
            {[info.kinds.join(', ') || 'LoRA', rankText(info.ranks)].filter(Boolean).join(' · ')}
          </span>
        )}
        <span className="muted small">
          {problem ??
            (!info ? (
              'Read when a model is loaded'
            ) : !changes ? (
              `It ${unchangedText(info.leftOut)}`
            ) : multipliers ? (
              `Merged × ${multipliers.map(brief).join(' and × ')}`
            ) : canBeNamed ? (
              <NotMerged name={name} />
            ) : (
              'Not merged: in ComfyUI a node does that, not the prompt'
            ))}
        </span>
        <span className={styles.actions}>
          <button type="button" className="small" aria-label={`Remove LoRA ${name}`} onClick={() => remove(name)}>
            Remove
          </button>
        </span>
      </div>
      {changes && <Effects name={name} effects={layerEffects(info.effects, layers)} />}
      {info && <LeftOutText leftOut={info.leftOut} />}
    </li>
  );
}

/** Says what to type for a LoRA. */
function NotMerged({ name }: { readonly name: string }) {
  const isCompel = useFacts((s) => s.options.syntax === 'compel');
  if (isCompel && !compelLoraName.test(name))
    return 'Not merged: Compel cannot read this name; rename the file to letters, digits, _ and - alone';
  return (
    <>
      Not merged: write <code>{isCompel ? `withLora(${name}, 1)` : `<lora:${name}:1>`}</code> in the prompt
    </>
  );
}

const rankText = (ranks: readonly number[]) =>
  ranks.length === 0 ? '' : ranks.length === 1 ? `rank ${ranks[0]}` : `ranks ${ranks[0]} to ${ranks.at(-1)}`;

/** The matrices of a layer. Vectors count in the layer's bar alone. */
const columns: readonly (readonly [LayerTensorName, string])[] = [
  ['self_attn.q_proj.weight', 'Q'],
  ['self_attn.k_proj.weight', 'K'],
  ['self_attn.v_proj.weight', 'V'],
  ['self_attn.out_proj.weight', 'Output'],
  ['mlp.fc1.weight', 'fc1'],
  ['mlp.fc2.weight', 'fc2'],
];

/** Shows the change of each layer as a bar, and all numbers in a table. */
function Effects({ name, effects }: { readonly name: string; readonly effects: readonly LayerEffect[] }) {
  const largest = Math.max(...effects.map(({ relative }) => relative));
  const at = effects.findIndex(({ relative }) => relative === largest);
  return (
    <div className={styles.effects}>
      <div className={styles.bars} aria-hidden="true">
        {effects.map(({ layer, relative }) => (
          <div key={layer} title={`Layer ${layer + 1}: ${percent(relative)}`}>
            <i style={{ height: `${largest > 0 ? (Math.min(1, relative / largest) * 100).toFixed(1) : 0}%` }} />
            <small>{layer + 1}</small>
          </div>
        ))}
      </div>
      <p className="muted small">
        ‖ΔW‖ / ‖W‖ of each layer’s changed weights at × 1; the largest is {percent(largest)}, of layer {at + 1}.
      </p>
      {/* A frame hides the table, because a table is never narrower than its contents. */}
      <div className="visually-hidden">
        <table>
          <caption>Change of each layer by {name}</caption>
          <thead>
            <tr>
              <th scope="col">Layer</th>
              <th scope="col">All</th>
              {columns.map(([, column]) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {effects.map(({ layer, relative, weights }) => (
              <tr key={layer}>
                <th scope="row">{layer + 1}</th>
                <td>{percent(relative)}</td>
                {columns.map(([part]) => {
                  const weight = weights.find(({ target }) => target.endsWith(`.${part}`));
                  return <td key={part}>{weight ? percent(weight.relative) : 'unchanged'}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function LeftOutText({
  leftOut: { unet, otherEncoders, unused, unsupported, unknown, lacksSettings },
}: {
  readonly leftOut: LeftOut;
}) {
  const tensors = (count: number) => (count === 1 ? '1 tensor' : `${count} tensors`);
  const parts = [
    unet > 0 && `${tensors(unet)} of the image model`,
    otherEncoders > 0 && `${tensors(otherEncoders)} of other encoders`,
    unused > 0 && `${tensors(unused)} of the projection, which no prompt goes through`,
    ...unsupported.map(({ kind, names }) => `${tensors(names.length)} of ${kind}, which cannot be applied`),
    unknown.length > 0 &&
      `${tensors(unknown.length)} whose names are not known here, such as “${unknown[0].slice(0, 80)}”`,
  ].filter(Boolean);
  return (
    <>
      {lacksSettings && <p className="muted small">{lacksSettingsText}.</p>}
      {parts.length > 0 && <p className="muted small">Left out: {parts.join('; ')}.</p>}
    </>
  );
}
