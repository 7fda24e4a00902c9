;; SPDX-License-Identifier: Apache-2.0
;; Answers every HTTP request with the chip's temperature as a Prometheus metric, and logs it every ten seconds.
(module
  (import "pico:temperature" "read" (func $temperature (param i32) (result i32)))
  (import "pico:log" "write" (func $log (param i32 i32 i32) (result i32)))
  (import "pico:http" "next" (func $next (param i32 i32 i32) (result i32)))
  (import "pico:http" "respond" (func $respond (param i32 i32 i32) (result i32)))
  (memory 512 512 (pagesize 1))
  (global $end (mut i32) (i32.const 0))
  (data (i32.const 16) "pico_temperature_celsius ")
  (data (i32.const 80) "the sensor does not answer")

  (func $put (param $byte i32)
    (i32.store8 (global.get $end) (local.get $byte))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))

  ;; Appends $value in decimal, with at least $digits digits.
  (func $digits (param $value i32) (param $digits i32)
    (if (i32.or (i32.gt_s (local.get $digits) (i32.const 1)) (i32.gt_u (local.get $value) (i32.const 9)))
      (then (call $digits (i32.div_u (local.get $value) (i32.const 10)) (i32.sub (local.get $digits) (i32.const 1)))))
    (call $put (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10)))))

  ;; Writes the metric behind its name at 16; returns its length, or 0 when the sensor fails.
  (func $metric (result i32)
    (local $value i32)
    (if (i32.lt_s (call $temperature (i32.const 0)) (i32.const 0)) (then (return (i32.const 0))))
    (local.set $value (i32.load (i32.const 0)))
    (global.set $end (i32.const 41))
    (if (i32.lt_s (local.get $value) (i32.const 0))
      (then
        (call $put (i32.const 45))
        (local.set $value (i32.sub (i32.const 0) (local.get $value)))))
    (call $digits (i32.div_u (local.get $value) (i32.const 1000)) (i32.const 1))
    (call $put (i32.const 46))
    (call $digits (i32.rem_u (local.get $value) (i32.const 1000)) (i32.const 3))
    (i32.sub (global.get $end) (i32.const 16)))

  (func (export "run") (result i32)
    (local $request i32) (local $length i32)
    (loop $forever
      (local.set $request (call $next (i32.const 128) (i32.const 128) (i32.const 10000)))
      ;; asked to stop
      (if (i32.eq (local.get $request) (i32.const -6)) (then (return (i32.const 0))))
      (local.set $length (call $metric))
      (if (i32.ge_s (local.get $request) (i32.const 0))
        (then
          (if (local.get $length)
            (then
              (call $put (i32.const 10))
              (drop (call $respond (i32.const 200) (i32.const 16) (i32.add (local.get $length) (i32.const 1)))))
            (else (drop (call $respond (i32.const 503) (i32.const 80) (i32.const 26))))))
        (else
          (if (local.get $length)
            (then (drop (call $log (i32.const 1) (i32.const 16) (local.get $length))))
            (else (drop (call $log (i32.const 3) (i32.const 80) (i32.const 26)))))))
      (br $forever))
    (unreachable)))
