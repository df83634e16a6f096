import { Map as MapLibre, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import worker from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { useClient } from "@tidegate/client/react";
import { useEffect, useState, type RefObject } from "react";
import { useShown } from "../theme";
import { recolour, setupOf, showLand, styleOf } from "./style";

setWorkerUrl(new URL(worker, document.baseURI).href); // a file of our own: the policy allows no others

/** A map in an element, once its style is there. North is up: who wants to know where something goes looks at its heading. */
export function useMap(where: RefObject<HTMLElement | null>): MapLibre | undefined {
  const client = useClient();
  const [made, setMade] = useState<MapLibre>();
  const theme = useShown();

  useEffect(() => {
    let map: MapLibre | undefined;
    let isOver = false;
    const make = async (): Promise<void> => {
      const style = await styleOf(await setupOf(client));
      if (isOver || !where.current) return;
      map = new MapLibre({
        container: where.current, style, center: [0, 20], zoom: 1.3, minZoom: 0.5, maxZoom: 19, maxPitch: 0,
        dragRotate: false, pitchWithRotate: false, fadeDuration: 0, attributionControl: { compact: true },
      });
      map.touchZoomRotate.disableRotation();
      map.keyboard.disableRotation();
      map.addControl(new NavigationControl({ showCompass: false }), "bottom-right");
      map.addControl(new ScaleControl(), "bottom-left");
      map.once("load", () => {
        if (isOver || !map) return;
        showLand(map);
        recolour(map);
        setMade(map);
      });
    };

    void make();
    return () => {
      isOver = true;
      setMade(undefined);
      map?.remove();
    };
  }, [where, client]);
  useEffect(() => {
    if (made) recolour(made);
  }, [made, theme]);
  return made;
}
