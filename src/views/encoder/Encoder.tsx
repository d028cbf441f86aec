import { type DragEvent, useEffect, useState } from 'react';
import { sd15TextEncoder } from '../../models/library/modelSources.ts';
import { encoderStatus, encodingCost, lostText, modelName } from '../../state/encoderStatus.ts';
import { requestName } from '../../state/facts.ts';
import { modelChoice, modelChoices, shownRequest } from '../../state/modelChoices.ts';
import { broughtAddress } from '../../state/reach.ts';
import { standsAlone } from '../../state/view.ts';
import { contextLength } from '../../tokens/clipVocabulary.ts';
import { Announcement } from '../page/Announcement.tsx';
import { FileButton } from '../page/FileButton.tsx';
import { lazyPart } from '../page/lazyPart.tsx';
import menuStyles from '../page/menu.module.css';
import { useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { Downloads, GetModel } from './Downloads.tsx';
import { EngineControl } from './EngineControl.tsx';
import styles from './encoder.module.css';
import { engineInTerms, engineInWords } from './engineTexts.ts';
import { Keep } from './Keep.tsx';
import { LazyModels } from './LazyModels.tsx';

const Loras = lazyPart(async () => (await import('./Loras.tsx')).Loras, {
  isNeeded: (s) => s.loras.size > 0,
  loading: null,
});

/** The one line about the encoder, for eyes and for screen readers. */
export function EncoderStatus() {
  const text = useFacts((s) => encoderStatus(s).text);
  const phase = useFacts((s) => encoderStatus(s).phase);
  return (
    <>
      {/* It changes twice at each key, so that it is said by the announcement alone, when it has come to rest. */}
      <div className={styles.status} role="status" aria-live="off" aria-label="Encoder status" data-phase={phase}>
        <span>{text}</span>
      </div>
      <Announcement label="Encoder" text={text} />
      <Cost />
    </>
  );
}

/** Tells on demand what the last change made the encoder do. It is no part of the status, which is read aloud. */
function Cost() {
  const now = useFacts(encodingCost);
  const cost = useLast(now ?? undefined);
  // Before the first encode its room is there, so that the page does not move when the cost comes.
  if (!cost) return <div className={styles.cost} />;
  return (
    <details className={`${menuStyles.menu} ${styles.cost}`} data-stale={!now || undefined}>
      <summary>{cost.brief}</summary>
      <p>{cost.text}</p>
    </details>
  );
}

/** Shows which weights are used, and the engine that runs them. */
export function Encoder() {
  const model = useFacts((s) => s.model);
  const request = useFacts(shownRequest);
  const choices = useFacts(modelChoices);
  const choice = useFacts(modelChoice);
  const progress = useFacts((s) => s.loading?.progress);
  const isLoading = useFacts((s) => s.loading !== null);
  const isCancelled = useFacts((s) => s.loading?.isCancelled);
  // The note on made-up weights stands there while they are loaded, too, so that the page does not move when they are.
  const isMadeUp = useFacts(({ loading, model }) => (loading ? loading.request.kind === 'synthetic' : model?.random));
  const isSmall = useFacts(({ loading, model }) => (loading ? loading.request.kind === 'small' : model?.knownIds));
  const isIntroduced = isMadeUp || Boolean(isSmall);
  const canLoad = useFacts(
    (s) => s.noEngine === null && !s.model && !s.loading && !s.lost && (s.stored || !s.storedModel),
  );
  const lost = useFacts((s) => s.lost);
  const name = useFacts((s) => modelName(s) || requestName(shownRequest(s)));
  // They stay while an encode runs, because a changing number of lines would move the page at every key.
  const words = useFacts(({ model, heldBytes }) => model && engineInWords(model, heldBytes));
  const terms = useFacts(({ model, heldBytes }) => model && engineInTerms(model, heldBytes));
  const why = useFacts((s) => s.model?.engine.why);
  const openModel = useFacts((s) => s.openModel);
  const isHidden = useFacts((s) => standsAlone(s.view));
  const setEngine = useFacts((s) => s.setEngine);
  const openFile = useFacts((s) => s.openFile);
  const cancelLoad = useFacts((s) => s.cancelLoad);

  const [areModelsOpen, setModelsOpen] = useState(() => broughtAddress(location.hash) !== null);

  const choose = (value: string) => {
    const chosen = choices.find((choice) => choice.value === value);
    if (chosen) void openModel(chosen.request);
  };

  return (
    <section className={`panel ${styles.encoder}`} id="encoder" aria-label="Encoder" hidden={isHidden}>
      <div className="field inline">
        <label htmlFor="model">Model</label>
        <select id="model" aria-label="Model" value={choice} onChange={(event) => choose(event.target.value)}>
          {choices.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </div>
      <FileButton text="Open files…" multiple onChoose={(file, chosen) => void openFile(file, chosen)} />
      <button
        type="button"
        aria-expanded={areModelsOpen}
        aria-controls="models"
        onClick={() => setModelsOpen(!areModelsOpen)}
      >
        Get or delete models…
      </button>
      <EngineControl />
      {/* After a cancelled load the select still shows that choice, and choosing it again would not be a change. */}
      {canLoad && (
        <button type="button" onClick={() => void openModel(request)}>
          Load these weights
        </button>
      )}
      {lost && !isLoading && (
        <div className="notice" data-severity="error" role="alert">
          <span>
            {lostText(lost)}: load {name} again.
          </span>
          <button type="button" onClick={() => void openModel(request)}>
            Load again
          </button>
          {lost.part === 'GPU' && (
            <button type="button" onClick={() => void setEngine({ engine: 'cpu' })}>
              Go on with the CPU
            </button>
          )}
        </div>
      )}
      <div className={styles.details} data-introduced={isIntroduced || undefined}>
        {isLoading ? (
          <div className="loading">
            <progress aria-label="Loading" value={progress?.done} max={progress?.total || undefined} />
            <button type="button" className="small" disabled={isCancelled} onClick={cancelLoad}>
              Cancel
            </button>
          </div>
        ) : (
          <>
            {words && <p title={terms ?? undefined}>{words}</p>}
            {why && <p>{why}</p>}
          </>
        )}
        <details>
          <summary>What can be opened</summary>
          Checkpoints, LoRAs, textual inversions, pictures with their prompts, ComfyUI’s workflows, texts, saved prompts
          and conditionings; or drop them anywhere, several at once.
        </details>
        {model?.doubt && <p>{model.doubt.replaceAll("'", '’')}</p>}
        {model && !isLoading && <Positions L={model.config.maxPositionEmbeddings} />}
        {isMadeUp && (
          <p>
            <b>Made-up weights:</b> the numbers show how things work and mean nothing until you open a checkpoint (SD
            1.x, .safetensors or .ckpt). It stays on this machine.
          </p>
        )}
        {model?.knownIds && !isLoading && (
          <p>
            <b>A small model of coloured shapes, not Stable Diffusion:</b> it learnt {model.knownIds.size} tokens from
            pictures of one or two shapes, so its numbers mean something for prompts about these. For Stable Diffusion’s
            own, open a checkpoint (SD 1.x, .safetensors or .ckpt). It stays on this machine.
          </p>
        )}
      </div>
      {isIntroduced && <GetModel file={sd15TextEncoder.files[0]} name={sd15TextEncoder.name} />}
      <Keep onManage={() => setModelsOpen(true)} />
      <Downloads onManage={() => setModelsOpen(true)} />
      <Loras />
      {areModelsOpen && <LazyModels />}
    </section>
  );
}

/** Says how long the chunks are with an encoder that has not as many positions as Stable Diffusion's. */
function Positions({ L }: { readonly L: number }) {
  if (L === contextLength) return null;
  return (
    <p>
      <b>{L} positions:</b> each program’s chunks hold {L - 2} tokens here, not {contextLength - 2}.
    </p>
  );
}

/** Opens a file of any kind that is dropped anywhere on the page. */
export function DropTarget() {
  const openFile = useFacts((s) => s.openFile);
  const openFolder = useFacts((s) => s.openFolder);
  const [isOver, setIsOver] = useState(false);
  useEffect(() => {
    const hasFiles = (event: Event) => (event as unknown as DragEvent).dataTransfer?.types.includes('Files');
    const onOver = (event: Event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setIsOver(true);
    };
    const onLeave = (event: Event) => {
      if ((event as unknown as DragEvent).relatedTarget === null) setIsOver(false);
    };
    const onDrop = (event: Event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setIsOver(false);
      const { files, items } = (event as unknown as DragEvent).dataTransfer;
      // A folder is among the files, too, as a file that cannot be read.
      const entries = [...items].filter(({ kind }) => kind === 'file').map((item) => item.webkitGetAsEntry?.());
      const dropped = [...files].filter((_, i) => !entries[i]?.isDirectory);
      for (const file of dropped) void openFile(file, dropped);
      for (const entry of entries) if (entry?.isDirectory) void openFolder(entry as FileSystemDirectoryEntry);
    };
    const handlers = { dragover: onOver, dragleave: onLeave, drop: onDrop };
    for (const [type, handler] of Object.entries(handlers)) addEventListener(type, handler);
    return () => {
      for (const [type, handler] of Object.entries(handlers)) removeEventListener(type, handler);
    };
  }, [openFile, openFolder]);
  return isOver ? (
    <div className={styles.dropTarget}>
      <p>Drop to open</p>
      <p className="small">
        checkpoints, LoRAs, textual inversions, pictures with their prompts, ComfyUI’s workflows, texts, saved prompts
        or conditionings
      </p>
    </div>
  ) : null;
}
